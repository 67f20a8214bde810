"""The report: whole radiographs before and after at full depth, with each box and its measures."""
