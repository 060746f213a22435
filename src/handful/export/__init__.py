"""Models that leave the run: a bundle that predicts."""

from handful.export.bundle import load, save

__all__ = ["load", "save"]
