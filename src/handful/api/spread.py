"""Portions answered by the nodes of a Ray cluster: a task each, and as many tasks as keep the cluster busy.

Nothing is kept there. What a task returns is saved by the process that typed the command, which alone knows what is
done; so a lost node costs the portions that it had in work, which Ray gives to others, and no picture is answered twice
in the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handful import export
from handful.api.portions import Portion, records_of
from handful.core.cluster import Cluster, Kind, node_name, require
from handful.core.errors import DataError, HandfulError
from handful.core.progress import Advance, Silent
from handful.images import Place, open_place
from handful.transfer import Model

if TYPE_CHECKING:
    from ray import ObjectRef

AHEAD = 2
"""Portions in work or waiting for each core of the cluster: enough that none runs dry, and few, however many pictures
there are."""

TRIES = 20
"""How often a portion is begun anew after its worker or its node was lost; more is a picture that kills workers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What all portions of a prediction have in common.

    Attributes:
        kind: of the nodes that may answer.
        model: where the cluster keeps the files of its bundle.
        paths: what the user named, absolute.
        top: see `as_record`.
    """

    kind: Kind
    model: ObjectRef[Any]
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

    asked = Asked(cluster.kind, ray.put(export.pack(model)), tuple(str(place.path.absolute()) for place in places), top)
    task = ray.remote(_answer).options(num_cpus=1, max_retries=TRIES)
    waiting, running = iter(portions), dict[Any, Portion]()
    while True:
        room = AHEAD * max(int(ray.cluster_resources().get("CPU", 0)), 1) - len(running)
        running |= {task.remote(asked, portion): portion for portion in islice(waiting, max(room, 0))}
        if not running:
            return
        (done,), _ = ray.wait(list(running), num_returns=1)
        portion = running.pop(done)
        yield portion, _records(done, portion)
        advance(len(portion))


def _records(done: ObjectRef[Any], portion: Portion) -> list[str]:
    import ray

    try:
        records, fault = ray.get(done)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise HandfulError(
            f"the pictures from {portion[0].name} to {portion[-1].name} were lost with their worker {TRIES + 1} times "
            f"({type(error).__name__}). The same command begins with them again; predict them alone, without --ray, to "
            "see why."
        ) from error
    if fault:
        raise HandfulError(fault)
    return list(records)


def _answer(asked: Asked, portion: Portion) -> tuple[list[str], str]:
    """Returns the records of a portion, or why this node cannot make them."""
    try:
        require(asked.kind)
        model, places = _model(asked.model), _places(asked.paths)
        return records_of(model, portion, places, top=asked.top, threads=1, progress=Silent()), ""
    except DataError as error:
        return [], f"on the node {node_name()} {error} Pictures have to lie where every node reaches them by this name."
    except HandfulError as error:
        return [], str(error)


@lru_cache(maxsize=1)
def _model(files: ObjectRef[Any]) -> Model:
    """Returns the model, opened once in each worker."""
    import ray

    return export.unpack(ray.get(files))


@lru_cache(maxsize=1)
def _places(paths: tuple[str, ...]) -> list[Place]:
    """Returns what the user named, opened once in each worker."""
    return [open_place(Path(path)) for path in paths]
