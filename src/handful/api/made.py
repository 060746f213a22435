"""What a run is made from, gathered while it is made."""

from __future__ import annotations

from pathlib import Path

from handful.core.config import TrainConfig
from handful.core.machine import code_sha256, processor, processor_flags, versions
from handful.core.provenance import Provenance
from handful.finetune.precision import training_precision
from handful.images import Given
from handful.transfer import Trained


def gather(data: Path | Given, config: TrainConfig, trained: Trained, *, threads: int) -> Provenance:
    """Returns what a repetition of a run has to be given.

    Args:
        data: what the run was given.
        config: the options before any `auto` was resolved.
        trained: what came of them.
        threads: that were used.
    """
    engine = trained.options["engine"].value if "engine" in trained.options else None
    options = {name: value for room in config.to_dict().values() for name, value in room.items()}
    used = {"threads": threads, **({"engine": engine} if isinstance(engine, str) else {})}
    made_with = dict(versions())
    for member in trained.model.members:
        made_with |= {str(name): str(version) for name, version in member.trunk.engine.facts["versions"].items()}
        library, _, version = member.trunk.spec.library.partition(" ")
        made_with |= {library: version} if library else {}
    return Provenance(
        options={**options, **used},
        given=tuple(sorted(config.given)),
        folder=str(Path.cwd()),
        in_memory=isinstance(data, Given),
        processor=processor(),
        flags=processor_flags(),
        versions=made_with,
        code_sha256=code_sha256(),
        training_precision=training_precision() if trained.training else "",
    )
