"""Licences of weights, in words: an unknown one is called unknown, and one with strings attached is named as such."""

from __future__ import annotations

UNKNOWN = "unknown"

SPDX = {name.lower(): name for name in ("Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-NC-4.0", "CC0-1.0")}
"""Names as SPDX writes them; hubs write them small."""

NON_COMMERCIAL = ("-nc", "noncommercial", "non-commercial", "swag/blob/main/license", "research-only")
"""Parts of the names of licences that forbid commercial use. That of torchvision's SWAG weights is CC-BY-NC 4.0."""

OWN_TERMS = {"dinov3-license": "Meta's own: read its conditions before you use the network or pass a model on"}


def spdx(licence: str) -> str:
    """Returns a licence's name as SPDX writes it; others as they are."""
    return SPDX.get(licence.lower(), licence)


def licence_words(licence: str) -> str:
    """Returns what a user should know about a licence before the weights are used.

    Example:
        >>> licence_words("CC-BY-NC-4.0")
        'CC-BY-NC-4.0, which forbids commercial use'
    """
    if licence == UNKNOWN:
        return "unknown; ask its publisher before you rely on it"
    if any(part in licence.lower() for part in NON_COMMERCIAL):
        return f"{licence}, which forbids commercial use"
    if licence in OWN_TERMS:
        return f"{licence}, {OWN_TERMS[licence]}"
    return licence
