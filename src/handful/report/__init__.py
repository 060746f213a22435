"""A run folder: numbers, figures and one page."""

from handful.report.inline import answers_html, model_html, run_html
from handful.report.result import result_dict
from handful.report.run_folder import write_run
from handful.report.summary import summary
from handful.report.tables import answers_csv

__all__ = ["answers_csv", "answers_html", "model_html", "result_dict", "run_html", "summary", "write_run"]
