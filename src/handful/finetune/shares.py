"""Who takes which pictures of a mini-batch: portions, and the consecutive ones of each process; no PyTorch."""

from __future__ import annotations

from itertools import pairwise

PORTION = 16
"""Pictures that a thread takes at a time: with fewer the network is slower, with more a mini-batch keeps fewer cores
busy."""


def n_portions(n_images: int) -> int:
    """Returns in how many parts a mini-batch is taken."""
    return -(-n_images // PORTION)


def shares(n_images: int, n_ranks: int, *, whole: bool) -> list[list[slice]]:
    """Returns the portions of a mini-batch, as rows of it, that each rank takes: consecutive ones, or none.

    Args:
        n_images: B.
        n_ranks: processes that share it.
        whole: a rank takes what it takes as one part.

    Example:
        >>> shares(40, 2, whole=False)
        [[slice(0, 14, None)], [slice(14, 27, None), slice(27, 40, None)]]
    """
    n_parts = n_portions(n_images)
    size, larger = divmod(n_images, n_parts)
    ends = [size * part + min(part, larger) for part in range(n_parts + 1)]
    found = []
    for rank in range(n_ranks):
        first, last = n_parts * rank // n_ranks, n_parts * (rank + 1) // n_ranks
        cuts = ends[first : last + 1]
        if whole and first < last:
            cuts = [cuts[0], cuts[-1]]
        found.append([slice(low, high) for low, high in pairwise(cuts)])
    return found


def own_rows(n_images: int, rank: int, n_ranks: int) -> slice:
    """Returns the rows of a mini-batch that one of some processes takes."""
    own = shares(n_images, n_ranks, whole=True)[rank]
    return own[0] if own else slice(0, 0)
