"""The errors that handful raises on purpose.

Each message says what is wrong (with the value and the path), what was expected, and what to do next. The command
line prints the message alone and exits with `exit_code`.
"""

from __future__ import annotations


class HandfulError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the command line returns for it."""

    exit_code = 2


class DataError(HandfulError):
    """The user's pictures or tables cannot be used as they are."""


class NothingHeldOutError(DataError):
    """No training picture can be held out to choose or to judge by: it is all that its class has."""


class ConfigError(HandfulError):
    """An option has a value that cannot work."""


class WeightsError(HandfulError):
    """Pre-trained weights are missing, damaged, or not the ones that were asked for."""


class BundleError(HandfulError):
    """A saved model or a run folder is missing, damaged, or from a version that this one cannot read."""


class ExportError(HandfulError):
    """A model cannot be written in another format, or does not answer there as it does here."""


class TrainingError(HandfulError):
    """A training came to nothing: its loss was no number at the update `failed_at`, or a feature before any (0)."""

    exit_code = 3

    def __init__(self, message: str, *, failed_at: int | None = None) -> None:
        super().__init__(message)
        self.failed_at = failed_at


class MissingExtraError(HandfulError):
    """An optional dependency is needed and not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional dependency. Install it with: pip install 'handful[{extra}]'")
        self.purpose, self.extra = purpose, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Returns what pickling keeps, on the way from another process."""
        return type(self), (self.purpose, self.extra)
