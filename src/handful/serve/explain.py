"""Why a picture got its answer: where the network looked, and which training pictures are most like it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from handful.core.errors import HandfulError
from handful.core.files import sha256_bytes
from handful.core.looks import Look
from handful.core.records import FloatArray, Source
from handful.core.sealed import read_verified
from handful.features import maps_of_squares, prepare, seen_part
from handful.heads import score_gradient
from handful.images import UnreadableError, decode, open_again
from handful.report.heat import heated
from handful.report.references import FILE
from handful.report.thumbnails import data_url, shrunk
from handful.serve.opened import Opened, Warm
from handful.transfer import judge

N_ALIKE = 3
"""Training pictures shown beside an answer, as in the report."""

SHOWN, SMALL = 480, 160
"""Shorter sides in pixels: of the map, and of the training pictures."""

NO_REFERENCES = "This model keeps no training pictures to compare with: its layers were trained, or it has too few."


@dataclass(frozen=True, slots=True)
class Reference:
    """A training picture by name, with the hash of its bytes."""

    path: str
    label: str
    sha256: str


@dataclass(frozen=True, slots=True)
class References:
    """The training pictures behind a model's `Familiar.references`, in its order.

    Attributes:
        pictures: empty where the run does not name them.
        source: where they lie; None where they cannot be found any more.
    """

    pictures: tuple[Reference, ...] = ()
    source: Source | None = None


def find_references(run: Path) -> References:
    """Returns the training pictures that a run names; without their source where they are gone."""
    try:
        facts = json.loads(read_verified(run, FILE))
        pictures = tuple(
            Reference(str(one["path"]), str(one["class"]), str(one["sha256"])) for one in facts["pictures"]
        )
        root, add = Path(str(facts["root"])), {str(name): str(place) for name, place in facts["add"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return References()
    try:
        return References(pictures, open_again(root, add))
    except (HandfulError, OSError):
        return References(pictures)


def explain(opened: Opened, references: References, data: bytes, *, max_pixels: float) -> dict[str, Any]:
    """Returns the map and the training pictures as plain values, the pictures as data URLs.

    Of several networks the first is asked.

    Args:
        opened: the model.
        references: its training pictures.
        data: the picture's bytes.
        max_pixels: of the picture.

    Raises:
        UnreadableError: it is no picture that is read.
    """
    decoded = opened.decoded(data, max_pixels=max_pixels)
    features = [member.features([decoded]) for member in opened.members]
    answer = int(judge(opened.model, features).proba[0].argmax())
    warm, own = opened.members[0], features[0].mean(axis=1).astype(np.float64)
    alike = _alike(opened, references, own)
    return {
        "heat": _heat(warm, decoded[warm.size], own, answer),
        "alike": alike,
        "alike_note": "" if alike else NO_REFERENCES,
    }


def _heat(warm: Warm, pixels: Any, features: FloatArray, answer: int) -> str:
    """Returns the picture under its map as a data URL; "" where the network has no places."""
    member = warm.member
    gradient = score_gradient(member.head, features, np.array([answer])).astype(np.float32)
    square = np.stack([prepare(pixels, member.preprocessing)])
    try:
        (places,) = maps_of_squares(member.trunk, square, gradient, member.preprocessing, threads=1)
    except HandfulError:
        return ""
    if places.size == 1:
        return ""
    picture = shrunk(Image.fromarray(pixels), shortest=SHOWN, longest=2 * SHOWN)
    seen = seen_part(picture.width, picture.height, member.preprocessing)
    return data_url(heated(picture, Look(0, answer, places, seen)))


def _alike(opened: Opened, references: References, features: FloatArray) -> list[dict[str, Any]]:
    """Returns the training pictures whose features have the largest cosine with a picture's, float64 (1, D)."""
    familiar = opened.model.rules.familiar if opened.model.rules else None
    if familiar is None or len(references.pictures) != len(familiar.references):
        return []
    own = features[0] / max(float(np.linalg.norm(features[0])), 1e-12)
    cosines = familiar.references @ own.astype(np.float32)
    nearest: Sequence[int] = np.argsort(-cosines, kind="stable")[:N_ALIKE].tolist()
    return [
        {
            "label": references.pictures[row].label,
            "likeness": round(float(cosines[row]), 4),
            "picture": _thumbnail(references, references.pictures[row], full_scale=opened.model.full_scale),
        }
        for row in nearest
    ]


def _thumbnail(references: References, wanted: Reference, *, full_scale: int) -> str:
    """Returns a small copy of a training picture; "" where it is gone or was changed."""
    if references.source is None:
        return ""
    try:
        data = references.source.read(wanted.path)
        if sha256_bytes(data) != wanted.sha256:
            return ""
        found = decode(data, max_pixels=np.inf, shortest=SMALL)
    except (UnreadableError, OSError, KeyError):
        return ""
    return data_url(shrunk(Image.fromarray(found.rgb(full_scale)), shortest=SMALL, longest=2 * SMALL))
