"""A run folder: numbers, figures and one page."""

from handful.report.answers import as_line, as_record, check_table, write_answers
from handful.report.compared import Comparison, compare
from handful.report.inline import answers_html, model_html, run_html
from handful.report.provenance import bundle_facts
from handful.report.result import result_dict
from handful.report.run_folder import write_run
from handful.report.summary import summary
from handful.report.trackers import check_tracker, untracked

__all__ = [
    "Comparison",
    "answers_html",
    "as_line",
    "as_record",
    "bundle_facts",
    "check_table",
    "check_tracker",
    "compare",
    "model_html",
    "result_dict",
    "run_html",
    "summary",
    "untracked",
    "write_answers",
    "write_run",
]
