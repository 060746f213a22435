"""A run folder: numbers, figures and one page."""

from handful.report.answers import as_line, as_record, check_table, write_answers
from handful.report.result import result_dict
from handful.report.run_folder import write_run
from handful.report.summary import summary

__all__ = ["as_line", "as_record", "check_table", "result_dict", "summary", "write_answers", "write_run"]
