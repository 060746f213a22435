"""How numbers and names are written for people."""

from __future__ import annotations


def percent(share: float) -> str:
    """Returns "91.2 %", and "unknown" for NaN.

    Example:
        >>> percent(0.912)
        '91.2 %'
    """
    return f"{100 * share:.1f} %" if share == share else "unknown"


def percent_range(interval: tuple[float, float]) -> str:
    """Returns "85.1 to 95.0 %"."""
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def counted(n: int, noun: str, plural: str = "") -> str:
    """Returns "1 picture", "2 pictures", "1,234 pictures"; `plural` where an s is not enough."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def seconds(duration: float) -> str:
    """Returns "0.04 s", "4.2 s", "43 s", "2 min 5 s"."""
    if duration < 1:
        return f"{duration:.2f} s"
    if duration < 10:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def megabytes(n_bytes: int) -> str:
    """Returns "18.8 MB", "0.02 MB": a million bytes each.

    Example:
        >>> megabytes(18_826_032)
        '18.8 MB'
    """
    size = n_bytes / 1e6
    return f"{size:.1f} MB" if size >= 0.1 else f"{size:.2f} MB"


def printable(text: str) -> str:
    r"""Returns the text with what cannot be shown safely spelled out, such as `\x1b`.

    File and folder names may hold anything: control characters that a terminal would obey, marks that turn the
    direction of writing, bytes that are no UTF-8.
    """
    return "".join(each if each.isprintable() else _spelled(each) for each in text)


def encodable(text: str) -> str:
    """Returns the text with bytes that are no UTF-8 spelled out, everything else as it is; for files."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def listed(names: list[str], *, limit: int = 3) -> str:
    """Returns "a", "a and b", "a, b and c", "a, b, c and 4 more"."""
    shown = names[:limit]
    if len(names) > limit:
        return f"{', '.join(shown)} and {len(names) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def lowered(sentence: str) -> str:
    """Returns a sentence as it stands within another."""
    return f"{sentence[:1].lower()}{sentence[1:]}"


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
