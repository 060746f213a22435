"""The one way in which a single file fails: it is skipped, and listed with the reason."""

from __future__ import annotations


class UnreadableError(Exception):
    """One file cannot be used; the message is the reason that the user sees.

    Attributes:
        lasting: False where the same bytes may be readable another time, after an installation or with more memory.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class TooManyPixelsError(UnreadableError):
    """A picture has more pixels than are allowed; it was not decoded."""
