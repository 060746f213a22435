"""From the names in a folder or archive to classes and parts; nothing is read here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from handful.core.errors import DataError
from handful.core.records import Finding, Part, Skipped
from handful.images.sources import Entry

READ_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".heic", ".heif")
) | {".dcm", ".dicom"}
UNREAD_SUFFIXES = frozenset((".avif", ".jp2", ".jxl", ".svg", ".psd", ".ico", ".cr2", ".cr3", ".nef", ".arw", ".dng"))
"""Pictures too, in formats that are not read; listed as skipped instead of being passed over as other files."""

FILM_SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"))

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture that was not read yet, and where it belongs; `added` beside the data set, to learn from alone."""

    name: str
    class_name: str
    part: Part = ""
    group: str = ""
    added: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What the names alone say about a data set.

    Attributes:
        placed: pictures with a class, sorted by name.
        set_aside: pictures that belong to no class, or that a rule leaves out.
        unreadable: what cannot be read, known without trying.
        findings: remarks for the user.
    """

    placed: tuple[Placed, ...]
    set_aside: tuple[Skipped, ...] = ()
    unreadable: tuple[Skipped, ...] = ()
    findings: tuple[Finding, ...] = ()


def find_layout(entries: Iterable[Entry], root: Path, *, class_level: int | None = None, films: bool = False) -> Layout:
    """Finds classes and parts: the class is the path of a picture's folder below the root, or below its part's folder.

    Folders that only wrap the data set (one folder in a folder) are stepped through first.

    Args:
        entries: everything below the root.
        root: for messages.
        class_level: take this many folders as the class instead of all.
        films: take video files like pictures.

    Raises:
        DataError: no pictures, no class folders, or parts that cannot be understood.
    """
    found, run_findings = _without_runs(sorted(entries, key=lambda entry: entry.name), root)
    pictures = [entry.name for entry in found if not entry.is_folder and looks_like_picture(entry.name, films=films)]
    usable = _usable(found, pictures)
    if not usable:
        raise _no_pictures(found, root)
    base, base_findings = _base(usable)
    parts, part_findings = _parts(usable, base, root)
    placed, set_aside = _place(usable, base, parts, class_level=class_level)
    if not placed:
        where = "its train and test folders" if parts else f"{root / base}"
        raise DataError(
            f"{len(set_aside)} pictures lie directly in {where}, and none in a folder of its class. "
            "Expected one folder per class, like photos/cat/1.jpg and photos/dog/2.jpg; or give a table with the "
            "columns path and label."
        )
    return Layout(
        placed=tuple(placed),
        set_aside=tuple(set_aside),
        unreadable=tuple(
            Skipped(entry.name, entry.reason)
            for entry in found
            if entry.reason and (entry.is_folder or looks_like_picture(entry.name, films=films))
        ),
        findings=(
            *run_findings,
            *base_findings,
            *part_findings,
            *_nested(placed, class_level),
            *_empty_folders(found, pictures),
            *_other_files(found, films=films),
        ),
    )


def looks_like_picture(name: str, *, films: bool = False) -> bool:
    """Returns whether a file's name ends like a picture's, or, where films are taken, like a video file's."""
    suffix = suffix_of(name)
    return suffix in READ_SUFFIXES or suffix in UNREAD_SUFFIXES or (films and suffix in FILM_SUFFIXES)


def is_film(name: str) -> bool:
    """Returns whether a file's name ends like a video file's."""
    return suffix_of(name) in FILM_SUFFIXES


def suffix_of(name: str) -> str:
    """Returns how a file's name ends, in lower case and with its dot; "" where there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def settle_validation(part: Part, parts: Iterable[Part]) -> Part:
    """Returns "test" for a validation part that stands alone, and every other part as it is."""
    return "test" if part == "validation" and "test" not in parts else part


def some(names: Sequence[str], limit: int = 3) -> str:
    """Returns the first few names for a message, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def _usable(found: Sequence[Entry], pictures: Sequence[str]) -> list[str]:
    refused = {entry.name for entry in found if entry.reason}
    return [name for name in pictures if name not in refused]


def _without_runs(entries: Sequence[Entry], root: Path) -> tuple[list[Entry], list[Finding]]:
    """Leaves out folders that handful itself wrote: their figures are no data."""
    names = {entry.name for entry in entries}
    candidates = [name[: -len("result.json")] for name in names if PurePosixPath(name).name == "result.json"]
    with_model = {name.split("model/")[0] for name in names if "model/" in name}
    runs = sorted(folder for folder in candidates if f"{folder}config.json" in names and folder in with_model)
    if "" in runs:
        raise DataError(f"{root} is a run folder of handful, not a data set. Give the folder of pictures instead.")
    if not runs:
        return list(entries), []
    kept = [entry for entry in entries if not any(f"{entry.name}/".startswith(folder) for folder in runs)]
    message = f"{some(runs)}: written by an earlier run of handful, and ignored. Better keep runs outside the data set."
    return kept, [Finding("run-folder", message)]


def _no_pictures(found: Sequence[Entry], root: Path) -> DataError:
    folders = [entry.name for entry in found if entry.is_folder]
    files = [entry.name for entry in found if not entry.is_folder]
    expected = "Expected one folder per class with pictures in it, like photos/cat/1.jpg and photos/dog/2.jpg."
    refused = [f"{entry.name} ({entry.reason})" for entry in found if entry.reason]
    if refused:
        return DataError(f"{root} holds no picture that can be read; refused: {some(refused)}. {expected}")
    if files:
        return DataError(f"{root} holds no pictures, only other files ({some(files)}). {expected}")
    if folders:
        return DataError(f"{root} holds no pictures; its folders are empty ({some(folders)}). {expected}")
    return DataError(f"{root} is empty. {expected}")


def _base(pictures: Sequence[str]) -> tuple[str, list[Finding]]:
    """Returns the folder, with a slash at its end, whose folders are classes or parts; "" for the root."""
    base = ""
    findings: list[Finding] = []
    while True:
        below = [name[len(base) :] for name in pictures]
        tops = {name.split("/", 1)[0] for name in below if "/" in name}
        if len(tops) != 1 or any(name.count("/") < 2 for name in below):
            return base, findings
        top = tops.pop()
        base += f"{top}/"
        if PART_NAMES.get(top.lower()) == "train":
            message = (
                f"there is a {top} folder and no test folder; its folders are the classes, and a test part is drawn."
            )
            findings.append(Finding("only-train", message))


def _parts(pictures: Sequence[str], base: str, root: Path) -> tuple[dict[str, Part], list[Finding]]:
    """Returns the folders that are parts, without the base; none where the folders are classes."""
    tops = sorted({name[len(base) :].split("/", 1)[0] for name in pictures if "/" in name[len(base) :]})
    parts = {top: PART_NAMES[top.lower()] for top in tops if top.lower() in PART_NAMES}
    if "train" not in parts.values():
        if len(parts) > 1 and len(parts) == len(tops):
            raise DataError(
                f"{root / base} holds {' and '.join(parts)} and no training part. Expected a folder named train beside "
                "them; or give one of them alone, and a test part is drawn from it."
            )
        return {}, []
    if len(parts) == 1:
        return {}, []
    doubled = [top for top in parts if list(parts.values()).count(parts[top]) > 1]
    if doubled:
        raise DataError(
            f"{root / base} holds {' and '.join(doubled)}, which mean the same part. Expected one folder for each of "
            "train, validation and test; rename or join them."
        )
    settled = {top: settle_validation(part, parts.values()) for top, part in parts.items()}
    changed = [top for top in parts if settled[top] != parts[top]]
    message = "is the test part, because there is no test folder. With both, it would be the validation part."
    return settled, [Finding("validation-as-test", f"the folder {top} {message}") for top in changed]


def _place(
    pictures: Sequence[str], base: str, parts: dict[str, Part], *, class_level: int | None
) -> tuple[list[Placed], list[Skipped]]:
    placed, set_aside = [], []
    for name in pictures:
        folders = name[len(base) :].split("/")[:-1]
        part: Part = ""
        if parts:
            if not folders or folders[0] not in parts:
                set_aside.append(Skipped(name, f"it lies outside the folders {', '.join(parts)}"))
                continue
            part, folders = parts[folders[0]], folders[1:]
        if folders:
            placed.append(Placed(name, "/".join(folders[:class_level]), part))
        else:
            set_aside.append(Skipped(name, "it lies in no class folder"))
    return placed, set_aside


def _nested(placed: Sequence[Placed], class_level: int | None) -> Iterator[Finding]:
    deep = sorted({picture.class_name for picture in placed if "/" in picture.class_name})
    if deep and class_level is None:
        yield Finding(
            "nested-folders",
            f"folders inside folders: {some(deep)}. Each of them is a class of its own; pass --class-level 1 to take "
            "the first folder as the class.",
        )


def _empty_folders(found: Sequence[Entry], pictures: Sequence[str]) -> Iterator[Finding]:
    filled = _with_parents({name.rpartition("/")[0] for name in pictures})
    named = {entry.name if entry.is_folder else entry.name.rpartition("/")[0] for entry in found if not entry.reason}
    empty = _with_parents(named) - filled - {""}
    topmost = sorted(folder for folder in empty if folder.rpartition("/")[0] not in empty)
    if topmost:
        yield Finding("empty-class", f"no pictures in the folder {some(topmost)}; no class was made of it.")


def _with_parents(folders: set[str]) -> set[str]:
    all_of_them = set(folders)
    for folder in folders:
        while folder and (folder := folder.rpartition("/")[0]) not in all_of_them:
            all_of_them.add(folder)
    return all_of_them


def _other_files(found: Sequence[Entry], *, films: bool) -> Iterator[Finding]:
    files = [entry.name for entry in found if not entry.is_folder]
    others = [name for name in files if not looks_like_picture(name, films=films)]
    left = [name for name in others if is_film(name)]
    if left:
        message = f"{len(left)} video files were not looked at; --fps 1 takes a frame of every second: {some(left)}."
        yield Finding("films", message)
    if others:
        one = len(others) == 1
        yield Finding(
            "other-files",
            f"{len(others)} {'file is' if one else 'files are'} not named like a picture and "
            f"{'was' if one else 'were'} not looked at: {some(others)}.",
        )
