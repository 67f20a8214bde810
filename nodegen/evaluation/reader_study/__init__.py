"""Reader studies: can people tell synthetic nodules from real ones? Made, answered, analysed.

A study is one page that opens offline and a key that stays with whoever leads the study; readers
send back the answers that the page exports.
"""

from nodegen.evaluation.reader_study.analysis import analyse
from nodegen.evaluation.reader_study.design import Material, plan_study
from nodegen.evaluation.reader_study.study_page import write_study
from nodegen.evaluation.reader_study.study_plan import StudyPlan

__all__ = ["Material", "StudyPlan", "analyse", "plan_study", "write_study"]
