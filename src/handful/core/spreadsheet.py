"""Text in tables that people open in a spreadsheet."""

from __future__ import annotations

RUNS_IN_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make a spreadsheet take a cell for a formula (OWASP, CSV injection)."""

MARK = "'"


def protect(text: str) -> str:
    """Returns text that no spreadsheet runs: one apostrophe is put before text that would be taken for a formula.

    Text that begins with an apostrophe gets another one, so that the original can always be found.
    """
    return MARK + text if text.startswith((*RUNS_IN_A_SPREADSHEET, MARK)) else text


def unprotect(cell: str) -> str:
    """Returns the text that `protect` was given; a cell that it never writes comes back as it is.

    Example:
        >>> unprotect("'=1+1"), unprotect("''s"), unprotect("'s"), unprotect("cat/1.jpg")
        ('=1+1', "'s", "'s", 'cat/1.jpg')
    """
    text = cell.removeprefix(MARK)
    return text if protect(text) == cell else cell
