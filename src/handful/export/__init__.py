"""Models that leave the run: a bundle that predicts."""

from handful.export.bundle import fingerprint, load, manifest_sha256, save

__all__ = ["fingerprint", "load", "manifest_sha256", "save"]
