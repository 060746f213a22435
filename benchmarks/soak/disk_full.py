"""A disk that becomes full under `handful train`, at 20 places, costs that run and nothing else.

The command ends with an exit code that is not 0 and one message with the path, the bytes needed and the bytes free;
nothing of it is left, and the model that an earlier run left beside still loads. Where this user may mount one, the
disk is a real one in memory, with room for more and more of the run; elsewhere its writing is refused half way.

python -m benchmarks.soak.disk_full
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.record import record
from benchmarks.soak.syscalls import TOY, Dies, ended
from handful import export
from handful.features.engines import choose
from handful.testing.backbone import install_toy_backbone
from handful.testing.disk import Step
from handful.testing.pictures import draw_folder

PLACES = 20
DISK = 16 << 20
"""Bytes of the disk in memory: room for both runs."""

MESSAGE = re.compile(r"could not write .+: No space left on device\. It needs [\d,]+ bytes, and [\d,]+ are free")


def main() -> None:
    """Fills the disk up at one place after another."""
    faults, n_refused = [], 0
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        root = Path(name)
        patch.setenv("HANDFUL_CACHE", str(root / "cache"))
        patch.setattr(choose, "OTHERS", ())
        install_toy_backbone(patch, root / "packages")
        words = ("train", str(draw_folder(root / "shapes", per_class=16)), *TOY)
        with disk(root / "disk") as is_real:
            old, new, steps = root / "disk" / "old", root / "disk" / "new", root / "steps"
            assert ended(words, old, told=steps) == 0
            halves = [n for n, line in enumerate(steps.read_text().splitlines(), start=1) if line.startswith("half")]
            n_bytes = sum(path.stat().st_size for path in old.rglob("*") if path.is_file())
            for number in range(PLACES):
                said = root / "said"
                if is_real:
                    with filled(root / "disk", leave=n_bytes * (2 * number + 1) // (2 * PLACES)):
                        code = ended(words, new, said=said)
                else:
                    code = ended(words, new, said=said, dies=full_at(halves[len(halves) * number // PLACES]))
                found = MESSAGE.search(said.read_text())
                n_refused += code == 2 and found is not None
                left = sorted(path.name for path in (root / "disk").iterdir())
                if code != 2 or found is None or left != ["old"]:
                    faults.append(f"place {number}: {code}, {said.read_text()[-300:]!r}, {left}")
                export.load(old)
    record(
        f"a disk that becomes full at {PLACES} places of a run ends it with one message, and leaves nothing of it",
        figures={"real_disk": is_real, "places": PLACES, "refused": n_refused, "faults": faults},
        holds=n_refused == PLACES and not faults,
    )


@contextmanager
def disk(place: Path) -> Iterator[bool]:
    """Mounts a small disk in memory, where this user may, and says whether it is one."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    may = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield may
    finally:
        if may:
            subprocess.run(["umount", str(place)], check=True)


@contextmanager
def filled(place: Path, *, leave: int) -> Iterator[None]:
    """Fills a disk but for so many bytes, in a file that no listing shows."""
    hidden = place / "old" / ".filled"
    with hidden.open("wb") as stream:
        stream.write(bytes(max(0, shutil.disk_usage(place).free - leave)))
    try:
        yield
    finally:
        hidden.unlink()


def full_at(number: int) -> Dies:
    """Returns what refuses a step for want of room."""

    def refuse(n: int, step: Step) -> bool:
        if n == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return False

    return refuse


if __name__ == "__main__":
    main()
