"""The paper's experiments again, and a verdict on each of its claims (Petrovska et al. 2018, section 4)."""

from handful.reproduce.records import Reproduction, Request, Verdict
from handful.reproduce.run import reproduce

__all__ = ["Reproduction", "Request", "Verdict", "reproduce"]
