"""Collects the faults that source, sinks and state find in their own keys."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.base import Sink
from stream.config.model import Config, S3Config
from stream.errors import ConfigFault
from stream.formats.base import Format
from stream.sources.base import Source


def component_faults(config: Config) -> list[ConfigFault]:
    """Return the faults from ``check()`` of sources, format and sinks, and of the state in S3."""
    faults = [*_checked("source", config.source), *_checked("format", config.format)]
    if config.labels is not None:
        faults += _checked("labels.source", config.labels.source)
    for position, sink in enumerate(config.sinks):
        faults += _checked(f"sinks[{position}]", sink)
    if config.state.s3 is not None:
        faults += _checked("state.s3", config.state.s3)
    return faults


def _checked(path: str, component: Source | Format | Sink | S3Config) -> Iterator[ConfigFault]:
    try:
        for fault in component.check():
            yield ConfigFault(path=f"{path}.{fault.key}", reason=fault.message)
    except OSError as error:  # for example of a path that is too long for the file system
        yield ConfigFault(path=path, reason=f"cannot be checked: {error.strerror}")
