"""Portions answered by the nodes of a Ray cluster: a task each, and as many tasks as keep the cluster busy.

Nothing is kept there. What a task returns is saved by the process that typed the command, which alone knows what is
done; so a lost node costs the portions that it had in work, which Ray gives to others, and no picture is answered twice
in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from handful import export
from handful.api.portions import Portion, records_of
from handful.core.cluster import TRIES, Cluster, Kind, Lost, Ref, done, node_name, require
from handful.core.errors import DataError
from handful.core.progress import Advance, Silent
from handful.images import Place, open_place, path_or_address
from handful.transfer import Model

READERS = 8
"""Threads of a task whose pictures come from an address: most of them wait for it while one uses the core."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What all portions of a prediction have in common.

    Attributes:
        kind: of the nodes that may answer.
        model: where the cluster keeps the files of its bundle.
        paths: what the user named, from the root, or addresses.
        top: see `as_record`.
    """

    kind: Kind
    model: Ref
    paths: tuple[str, ...]
    top: int | None


def spread(
    cluster: Cluster,
    model: Model,
    portions: Iterable[Portion],
    places: Sequence[Place],
    *,
    top: int | None,
    advance: Advance,
) -> Iterator[tuple[Portion, list[str]]]:
    """Yields portions with what `records_of` makes of them on the cluster, in the order in which they are done.

    Args:
        cluster: open.
        model: answers; its bundle goes to every node once.
        portions: taken as places become free.
        places: what the user named; every node has to reach it by the same name.
        top: as in `as_record`.
        advance: moves the bar of pictures.

    Raises:
        HandfulError: a node cannot do it, or a portion was lost too often.
    """
    import ray

    asked = Asked(cluster.kind, ray.put(export.pack(model)), tuple(place.address for place in places), top)
    task = ray.remote(_answer).options(num_cpus=1, max_retries=TRIES)
    for portion, records in done(lambda portion: task.remote(asked, portion), portions, cores=1, lost=_lost):
        yield portion, records
        advance(len(portion))


def _lost(portion: Portion) -> Lost:
    return Lost(
        f"the pictures from {portion[0].name} to {portion[-1].name} were",
        "The answers so far are kept, and the same command goes on; without --ray it shows what becomes of these.",
    )


def _answer(asked: Asked, portion: Portion) -> list[str]:
    """A task: returns the records of a portion."""
    require(asked.kind)
    model, places = _model(asked.model), _places(asked.paths)
    threads = READERS if any(isinstance(place.path, str) for place in places) else 1
    return records_of(model, portion, places, top=asked.top, threads=threads, progress=Silent())


@lru_cache(maxsize=1)
def _model(files: Ref) -> Model:
    """Returns the model, opened once in each worker."""
    import ray

    return export.unpack(ray.get(files))


@lru_cache(maxsize=1)
def _places(paths: tuple[str, ...]) -> list[Place]:
    """Returns what the user named, opened once in each worker."""
    try:
        return [open_place(path_or_address(path)) for path in paths]
    except DataError as error:
        raise DataError(
            f"on the node {node_name()} {error} Pictures have to lie where every node reaches them by this name."
        ) from None
