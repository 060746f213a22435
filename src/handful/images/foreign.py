"""Data sets of other libraries, known by their shape: no library is imported here, what is asked of them is in hand.

A pandas or polars frame has a column of pictures and one of labels; a data set of Hugging Face says which columns are
pictures and classes; one of torchvision gives (picture, number) and has the names in `classes`. Several of them by the
names of their parts, such as a DatasetDict, are one data set with the user's own parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

from handful.core.errors import DataError
from handful.images.given import Given, Row, counted, lay_out, path_of
from handful.images.layout import PART_NAMES, some
from handful.images.listing import COLUMNS, cell


def rows_of(data: Any, *, labelled: bool = True) -> tuple[str, list[Row]] | None:
    """Returns what a data set of another library is called, and its rows; None where it is none that is known.

    Args:
        data: any object.
        labelled: whether its labels are wanted.

    Raises:
        DataError: it is known, and columns, parts or labels are not to be understood.
    """
    if isinstance(data, Mapping):
        return _parts(data, labelled=labelled)
    kind = f"{type(data).__module__.partition('.')[0]} {type(data).__name__}"
    if hasattr(data, "features") and hasattr(data, "cast_column"):
        if not hasattr(data, "__len__"):
            raise DataError(f"a {kind} has no length. Load the data set without streaming=True.")
        rows = list(_hugging_face(data, labelled=labelled))
    elif hasattr(data, "columns") and hasattr(data, "shape"):
        rows = list(_frame(data, kind, labelled=labelled))
    elif (classes := _classes(data)) and hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        rows = list(_torchvision(data, classes, kind, labelled=labelled))
    else:
        return None
    return counted(kind, len(rows)), rows


def from_labelled(data: Any) -> Given:
    """Returns a data set of another library, with its labels.

    Raises:
        DataError: it is none that is known, or has no labels.
    """
    found = rows_of(data)
    if found is None:
        raise DataError(
            f"a {type(data).__name__} is no data set that is known. Expected the path of a folder, table or archive; "
            "a pandas or polars frame; a data set of Hugging Face; or one like torchvision's, with `classes` and items "
            "of a picture and a number. Pictures and labels apart go to handful.ImageClassifier."
        )
    return lay_out(*found)


def _parts(data: Mapping[Any, Any], *, labelled: bool) -> tuple[str, list[Row]] | None:
    """Returns several data sets as one, their keys being the parts."""
    found = {str(name): rows_of(part, labelled=labelled) for name, part in data.items()}
    if not found or any(part is None for part in found.values()):
        return None
    unknown = [name for name in found if name.lower() not in PART_NAMES]
    if unknown:
        raise DataError(
            f"the data set has a part {unknown[0]!r}; expected {some(list(PART_NAMES), 7)}. Choose parts, as in "
            '{"train": data["train"], "test": data["other"]}.'
        )
    rows = [replace(row, part=name, path="") for name, part in found.items() if part for row in part[1]]
    title = " and ".join(f"{name} {part[0]}" for name, part in found.items() if part)
    return title, rows


def _frame(frame: Any, kind: str, *, labelled: bool) -> Iterator[Row]:
    columns = _columns([str(name) for name in frame.columns], kind, ("path", "label") if labelled else ("path",))
    values = {field: frame[frame.columns[index]].to_list() for field, index in columns.items()}
    texts = {field: [cell(value).strip() for value in values[field]] for field in values if field != "path"}
    for number, picture in enumerate(values["path"]):
        others = {_FIELDS[field]: column[number] for field, column in texts.items()}
        yield Row(partial(_at, values["path"], number), path=path_of(picture), **others)


_FIELDS = {"label": "label", "group": "group", "split": "part"}


def _hugging_face(data: Any, *, labelled: bool) -> Iterator[Row]:
    """Yields the rows of Hugging Face's Dataset; pictures are got as the bytes of their files, undecoded."""
    features: Mapping[str, Any] = data.features
    pictures = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    picture = _only(pictures, features, COLUMNS["path"], "feature of type Image")
    labels: Sequence[str] = [""] * len(data)
    if labelled:
        classes = [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]
        column = _only(classes or list(features), features, COLUMNS["label"], "feature of type ClassLabel")
        names = getattr(features[column], "names", None)
        labels = [_named(value, names) if names else cell(value) for value in data.with_format(None)[column]]
    raw = data.with_format(None).select_columns([picture]).cast_column(picture, type(features[picture])(decode=False))
    group = next((name for name in COLUMNS["group"] if name in features), None)
    groups = [cell(value) for value in data.with_format(None)[group]] if group else [""] * len(data)
    lock = Lock()
    for number, (label, together) in enumerate(zip(labels, groups, strict=True)):
        yield Row(partial(_cell_of, raw, number, picture, lock), label=label, group=together)


def _torchvision(data: Any, classes: Sequence[Any], kind: str, *, labelled: bool) -> Iterator[Row]:
    """Yields the rows of a data set with items (picture, number)."""
    lock = Lock()
    targets = (_targets(data) or [data[number][1] for number in range(len(data))]) if labelled else [None] * len(data)
    names = [str(name) for name in classes]
    for number, target in enumerate(targets):
        label = ""
        if target is not None:
            if not 0 <= int(target) < len(names):
                raise DataError(
                    f"item {number} of the {kind} is of class {int(target)}, and it has {len(names)} names."
                )
            label = names[int(target)]
        yield Row(partial(_first_of, data, number, lock), label=label)


def _classes(data: Any) -> Sequence[Any]:
    """Returns the names of classes, of the data set itself or of the one that it is a part of."""
    while data is not None:
        if names := getattr(data, "classes", None):
            return list(names)
        data = getattr(data, "dataset", None)
    return ()


def _targets(data: Any) -> list[int] | None:
    """Returns the numbers of all items where the data set has them in a list; None where each has to be got."""
    if getattr(data, "target_transform", None) is not None:
        return None
    if hasattr(data, "dataset") and hasattr(data, "indices"):
        inner = _targets(data.dataset)
        return inner and [inner[int(index)] for index in data.indices]
    targets = getattr(data, "targets", None)
    if targets is None or len(targets) != len(data):
        return None
    return [int(target) for target in targets]


def _columns(header: Sequence[str], kind: str, needed: Sequence[str]) -> dict[str, int]:
    """Returns the positions of a frame's columns; pictures are in the one that tables call the path."""
    names = [name.strip().lower() for name in header]
    found = {
        field: index
        for field, synonyms in COLUMNS.items()
        if (index := next((names.index(name) for name in synonyms if name in names), None)) is not None
    }
    for field in needed:
        if field not in found:
            what = "of pictures" if field == "path" else "of labels"
            raise DataError(
                f"the {kind} has no column {what}; its columns are {', '.join(header)[:300]!r}. Expected one named "
                f"{some(COLUMNS[field], 10)}; rename it."
            )
    return found if "label" in needed else {"path": found["path"]}


def _only(names: Sequence[str], features: Mapping[str, Any], preferred: Sequence[str], what: str) -> str:
    """Returns the one column of its kind, or the one of several that has a usual name."""
    if len(names) == 1:
        return names[0]
    usual = [name for name in preferred if name in names]
    if not usual:
        raise DataError(
            f"the data set's columns are {', '.join(features)}, with {len(names)} to choose from where one {what} is "
            f"expected. Rename the one that counts to {preferred[0]!r}, with rename_column."
        )
    return usual[0]


def _named(value: Any, names: Sequence[str]) -> str:
    return "" if value is None or int(value) < 0 else names[int(value)]


def _at(values: Sequence[Any], number: int) -> Any:
    return values[number]


def _cell_of(data: Any, number: int, column: str, lock: Lock) -> Any:
    with lock:  # nothing says that a foreign data set may be read by several threads
        return data[number][column]


def _first_of(data: Any, number: int, lock: Lock) -> Any:
    with lock:
        return data[number][0]
