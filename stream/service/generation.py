"""Decides as which generation a job begins, so that no report id has two contents."""

from __future__ import annotations

from datetime import UTC, datetime

from stream.config.model import Config
from stream.state.store import Store


def begun_generation(config: Config, store: Store, now_s: float, from_start: bool = False) -> str:
    """Return the generation of a job; a job without a state, or ``from_start``, begins one.

    The first generation has an empty name. A later one begins if reports of the job exist already,
    in the state or at a sink that keeps them, and is named by its beginning: the records are
    counted again, perhaps by another configuration, and must not be published under the same ids.
    """
    generation = store.generation()
    if generation is not None and not from_start:
        return generation
    published = bool(store.newest()) or any(
        sink.has_reports_of(config.job) for sink in config.sinks
    )
    name = _name(now_s) if published else ""
    store.begin(name)
    return name


def _name(now_s: float) -> str:
    """The name of a generation: its beginning in UTC.

    >>> _name(1_764_430_648.123)
    '20251129T153728.123Z'
    """
    return f"{datetime.fromtimestamp(now_s, UTC):%Y%m%dT%H%M%S.%f}"[:-3] + "Z"
