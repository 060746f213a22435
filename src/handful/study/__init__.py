"""Many trainings that differ in a few options: what they share is computed once, and none is lost."""

from handful.study.conduct import Asked, check_asked, conduct, winner
from handful.study.run import run_trials

__all__ = ["Asked", "check_asked", "conduct", "run_trials", "winner"]
