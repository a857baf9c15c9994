"""The reader in the service's own process: the same contract without a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from detectors.profiles.baseline import Baseline
from stream.config.model import Config
from stream.events import Assign, Gap, Partial
from stream.readers.base import OnCounted
from stream.readers.build import plan_of, reader_of
from stream.sources.base import Reading


class InProcessReader:
    """One reader, called by the service itself."""

    def __init__(self, config: Config, reading: Reading, on_counted: OnCounted) -> None:
        self._config = config
        self._reading = reading
        self._on_counted = on_counted
        self._reader = reader_of(config, reading)

    def use(self, baselines: Mapping[str, Baseline]) -> None:
        self._reader.use(plan_of(self._config, baselines))

    def assign(self, assigns: Sequence[Assign]) -> list[Gap]:
        return self._reader.assign(assigns)

    def read(self, timeout_s: float) -> Sequence[Partial | Gap]:
        gaps, raws = self._reader.poll(timeout_s)
        started_s = time.monotonic()
        partials = self._reader.count(raws)
        if partials:
            covers = [cover for partial in partials for cover in partial.covers]
            self._on_counted(time.monotonic() - started_s, covers)
        return [*gaps, *partials]

    @property
    def finished(self) -> bool:
        return self._reading.finished

    def close(self) -> None:
        """Do nothing: the service, which opened the source, closes it."""
