"""A run folder: numbers, figures and one page."""

from handful.report.answers import as_line, as_record, check_table, write_answers
from handful.report.inline import answers_html, model_html, run_html
from handful.report.result import result_dict
from handful.report.run_folder import write_run
from handful.report.summary import summary
from handful.report.trackers import check_tracker, untracked

__all__ = [
    "answers_html",
    "as_line",
    "as_record",
    "check_table",
    "check_tracker",
    "model_html",
    "result_dict",
    "run_html",
    "summary",
    "untracked",
    "write_answers",
    "write_run",
]
