"""Runs every script of this folder, each in a process of its own, and fails when a promise did not hold.

python -m benchmarks.soak [NAME ...]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Runs the scripts named, or all of them, one after the other, and says which held."""
    there = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    unknown = set(sys.argv[1:]) - set(there)
    if unknown:
        sys.exit(f"no such script: {', '.join(sorted(unknown))}. There are {', '.join(there)}.")
    broken = []
    for name in sys.argv[1:] or there:
        start = time.monotonic()
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.soak.{name}"], check=False).returncode
        outcome = "held" if ended == 0 else f"ended with {ended}"
        print(f"{name}: {outcome}, {time.monotonic() - start:.0f} s", flush=True)
        if ended:
            broken.append(name)
    if broken:
        sys.exit(f"did not hold: {', '.join(broken)}")


if __name__ == "__main__":
    main()
