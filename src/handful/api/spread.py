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
from handful.api.portions import Portion, Wanted, records_of
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
        wanted: of each picture.
        cores: of a task.
    """

    kind: Kind
    model: Ref
    paths: tuple[str, ...]
    wanted: Wanted
    cores: int


def spread(
    cluster: Cluster,
    model: Model,
    portions: Iterable[Portion],
    places: Sequence[Place],
    *,
    wanted: Wanted,
    advance: Advance,
) -> Iterator[tuple[Portion, list[str]]]:
    """Yields portions with what `records_of` makes of them on the cluster, in the order in which they are done.

    Args:
        cluster: open.
        model: answers; its bundle goes to every node once.
        portions: taken as places become free.
        places: what the user named; every node has to reach it by the same name.
        wanted: of each picture.
        advance: moves the bar of pictures.

    Raises:
        HandfulError: a node cannot do it, or a portion was lost too often.
    """
    import ray

    n_gpus = int(cluster.beside > 0 and any(member.trunk.engine.name == "cuda" for member in model.members))
    cores = cluster.beside if n_gpus else 1  # which decode for it
    paths = tuple(place.address for place in places)
    asked = Asked(cluster.kind, ray.put(export.pack(model)), paths, wanted, cores)
    task = ray.remote(_answer).options(num_cpus=cores, num_gpus=n_gpus, max_retries=TRIES)
    for portion, records in done(lambda portion: task.remote(asked, portion), portions, cores=cores, lost=_lost):
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
    model, places = _model(asked.model), _places(asked.paths, asked.model)
    threads = max(asked.cores, READERS if any(isinstance(place.path, str) for place in places) else 1)
    return records_of(model, portion, places, wanted=asked.wanted, threads=threads, progress=Silent())


@lru_cache(maxsize=1)
def _model(files: Ref) -> Model:
    """Returns the model, opened once in each worker."""
    import ray

    return export.unpack(ray.get(files))


@lru_cache(maxsize=1)
def _places(paths: tuple[str, ...], call: Ref) -> list[Place]:
    """Returns what the user named, opened once in each worker and for each call, between which it may have changed."""
    try:
        return [open_place(path_or_address(path)) for path in paths]
    except DataError as error:
        raise DataError(
            f"on the node {node_name()} {error} Pictures have to lie where every node reaches them by this name."
        ) from None
