"""What sources, sinks and the state find wrong with their own keys."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from stream.config.model import Config
from stream.errors import ConfigError


def check_parts(config: Config, unset: Collection[str] = ()) -> None:
    """Raise ``ConfigError`` for what source, sinks or state find wrong with their own keys; those
    in ``unset`` do not count.
    """
    parts: list[tuple[str, Any]] = [("source", config.source)]
    parts += [(f"sinks[{k}]", sink) for k, sink in enumerate(config.sinks)]
    parts += [("state.s3", config.state.s3)] if config.state.s3 else []
    faults = [f"{where}.{fault}" for where, part in parts for fault in part.check()]
    faults = [fault for fault in faults if fault.partition(": ")[0] not in unset]
    if faults:
        where, _, found = faults[0].partition(": ")
        raise ConfigError(where, "a value that can work", "; ".join([found, *faults[1:]]))
