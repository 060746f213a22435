"""How layers were trained, as TensorBoard reads it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from handful.backbones.spec import file_stem
from handful.core.errors import MissingExtraError
from handful.core.files import write_bytes
from handful.core.records import Run
from handful.report.learning import trainings


def write_events(run: Run, folder: Path) -> None:
    """Writes loss, accuracy and rate by update as events of TensorBoard, in a folder for each network.

    They are written when the run is over, not while it trains: its folder appears whole or not at all, so until then
    there is no place that TensorBoard could watch.

    Args:
        run: the finished run.
        folder: is made if need be.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise MissingExtraError("option tensorboard", "tensorboard") from None
    for backbone, training in trainings(run).items():
        with TemporaryDirectory() as written:
            with SummaryWriter(written) as writer:
                for each in training.iterations:
                    figures = {
                        "loss/training": each.loss,
                        "loss/validation": each.validation_loss,
                        "accuracy/training": each.accuracy,
                        "accuracy/validation": each.validation_accuracy,
                        "rate": each.rate,
                    }
                    for tag, value in figures.items():
                        if value is not None:
                            writer.add_scalar(tag, value, each.step)
            for path in sorted(Path(written).iterdir()):
                write_bytes(folder / file_stem(backbone) / path.name, path.read_bytes())
