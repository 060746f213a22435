"""Many trainings that differ in a few options: what they share is computed once, and none is lost."""

from handful.study.conduct import Asked, check_asked, check_data, conduct, described, winner
from handful.study.page import inline_html, write_page
from handful.study.run import run_trials

__all__ = [
    "Asked",
    "check_asked",
    "check_data",
    "conduct",
    "described",
    "inline_html",
    "run_trials",
    "winner",
    "write_page",
]
