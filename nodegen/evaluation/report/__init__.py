"""The report: whole radiographs before and after at full depth, with each box and its measures."""

from nodegen.evaluation.report.report_page import (
    Treated,
    lungs_in,
    write_report,
    write_report_of_run,
)

__all__ = ["Treated", "lungs_in", "write_report", "write_report_of_run"]
