"""Models that leave the run: a bundle that predicts."""

from handful.export.bundle import load, manifest_sha256, save

__all__ = ["load", "manifest_sha256", "save"]
