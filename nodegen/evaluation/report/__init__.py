"""The report: one HTML file that shows every box before and after, with its measures."""

from nodegen.evaluation.report.page import Treated, write_report, write_report_of_run

__all__ = ["Treated", "write_report", "write_report_of_run"]
