"""Options as they were given: one configuration from them, and the command line that gives them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handful.core.calls import python_call
from handful.core.config import TrainConfig
from handful.core.errors import ConfigError
from handful.core.records import Resolved
from handful.images import Given


def one_config(config: TrainConfig | None, options: dict[str, Any]) -> TrainConfig:
    """Returns the configuration that was given, whole or by single options."""
    if config is not None and options:
        raise ConfigError(f"config and single options ({', '.join(options)}) were both given; give one or the other.")
    return config or TrainConfig.of(options)


def given_options(config: TrainConfig) -> dict[str, Resolved]:
    """Returns every option with its own value; those left open are overwritten by what they were resolved to."""
    values = {name: value for room in config.to_dict().values() for name, value in room.items()}
    return {
        name: Resolved(value, "chosen by the user" if name in config.given else "default")
        for name, value in values.items()
    }


def command_line(
    data: Path | Given, config: TrainConfig, *, command: str = "train", more: Mapping[str, Any] | None = None
) -> str:
    """Returns the command line that does the same again; the Python where the data have no path.

    Args:
        data: the data set.
        config: options; those that the user gave are written.
        command: the subcommand.
        more: its own options by name; a tuple is an option given several times, None and False are left out.
    """
    if isinstance(data, Given):
        chosen = given_options(config)
        return python_call({name: each.value for name, each in chosen.items() if each.reason != "default"})
    words = ["handful", command, str(data)]
    for name, value in (more or {}).items():
        for single in value if isinstance(value, tuple) else (value,):
            words += _words(name, single)
    for name, resolved in given_options(config).items():
        if resolved.reason != "default":
            value = listed(resolved.value) if isinstance(resolved.value, tuple) else resolved.value
            words += _words(name, value)
    return shlex.join(words)


def listed(words: tuple[str, ...]) -> str:
    """Returns words joined by commas, those that hold commas in double quotes: what the command line reads."""
    return ",".join(f'"{word}"' if "," in word else word for word in words)


def _words(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    return [flag] if value is True else [flag, str(value)]
