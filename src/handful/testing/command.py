"""The command line with the toy network and a checkpoint after every epoch, for tests that stop and kill it.

python -m handful.testing.command FOLDER_OF_THE_TOY train photos --backbone toy
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from handful.cli.main import main
from handful.features.engines import choose
from handful.finetune import kept
from handful.testing.backbone import install_toy_backbone


class ForGood:
    """Stands in for pytest's `monkeypatch` in a process that ends anyway."""

    def setattr(self, target: object, name: str, value: object) -> None:
        """Changes an attribute."""
        setattr(target, name, value)

    def syspath_prepend(self, path: str) -> None:
        """Adds an import folder."""
        sys.path.insert(0, path)


def prepare(toy: Path) -> None:
    """Installs the toy from its folder, leaves `auto` one engine, and makes every epoch worth a checkpoint."""
    patch = ForGood()
    install_toy_backbone(patch, toy)
    patch.setattr(choose, "OTHERS", ())
    patch.setattr(kept, "SECONDS", 0.0)
    patch.setattr(kept, "SHARE", math.inf)


if __name__ == "__main__":
    prepare(Path(sys.argv.pop(1)))
    main()
