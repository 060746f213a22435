"""What names a training that is kept: all that decides its numbers."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from handful.core.config import FinetuneConfig
from handful.core.machine import processor, versions
from handful.core.records import IntArray
from handful.features import Preprocessing
from handful.finetune import Device, Place, Precision, place_of
from handful.images import READING_VERSION

if TYPE_CHECKING:
    from handful.finetune.freeze import Cut, Trainable
    from handful.transfer.layers import Work


@dataclass(frozen=True, slots=True)
class Computing:
    """What of a computer decides the last bits of a training.

    Attributes:
        precision: of multiplications.
        device: where layers are trained.
        threads: that train; 0 on a cluster, where a checkpoint says with how many a portion is computed.
    """

    precision: Precision
    device: Device
    threads: int


def place_of_work(
    work: Work,
    cut: Cut,
    model: Trainable,
    recipe: FinetuneConfig,
    preprocessing: Preprocessing,
    *,
    rows: IntArray,
    validation: IntArray | None,
    computing: Computing,
) -> Place | None:
    """Returns where a training is kept that is about to begin; None where none is, as in an estimate or a study.

    Where the time that is left decides how many views of a picture the fixed layers are shown, their number does not
    count: a search that was stopped finds its trainings again, whatever time it has now.

    Args:
        work: what is trained on, and how.
        cut: the network; its lower layers stay as they are.
        model: its upper layers and new ones, with their first weights.
        recipe: the options, resolved.
        preprocessing: how pictures are shown.
        rows: int64, the pictures to train with.
        validation: int64, those to validate with.
        computing: by what.
    """
    if not work.use_cache or work.known is not None:
        return None
    table, n_frozen = work.table, len(cut.group_names) - len(cut.upper)
    options = asdict(recipe)
    if work.left is not None:
        options.pop("augmented_views")

    def named(chosen: IntArray) -> list[tuple[str, int]]:
        return [(table.pictures[row].file_sha256, int(table.labels[row])) for row in chosen]

    return place_of(
        {
            "train": named(rows),
            "validation": None if validation is None else named(validation),
            "reading": [READING_VERSION, table.full_scale, asdict(preprocessing)],
            "fixed": [n_frozen, work.pretrained().facts(cut.tap) if n_frozen else work.spec.name],
            "first_weights": _sha256(model),
            "recipe": options,
            "seed": work.config.run.seed,
            "computing": [asdict(computing), processor(), versions()],
        }
    )


def _sha256(model: Trainable) -> str:
    """Returns the hash of all weights, statistics of normalisation among them."""
    state: dict[str, Any] = model.state_dict()
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
