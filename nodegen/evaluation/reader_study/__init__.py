"""Reader studies: can people tell synthetic nodules from real ones? Made, answered, analysed.

A study is one page that opens offline and a key that stays with whoever leads the study; readers
send back the answers that the page exports.
"""
