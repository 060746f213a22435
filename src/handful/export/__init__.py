"""Models that leave the run: a bundle that predicts."""

from handful.export.bundle import fingerprint, load, save

__all__ = ["fingerprint", "load", "save"]
