"""Logs an error about a model of which no event has any input, as with a wrong path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from detectors.profiles.profile import Profile
from stream.events import ModelKey

ENOUGH_ROWS: Final = 20
"""The number of rows without any input after which a model is reported."""
ADVICE: Final = (
    "no event has a value of any input: correct the paths under `format` (`features`, `columns`,"
    " `input_rows`), or `inputs` of the model; `driftline check --live` names the keys of events"
)


class InputsLog:
    """Watches each model until an event has an input, and logs one error if none has.

    Inputs that are lost later are reported by the windows. ``log`` is a structlog logger.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._settled: set[str] = set()
        self._rows: Counter[str] = Counter()

    def note(self, profiles: Iterable[tuple[ModelKey, int, Profile]]) -> None:
        """Take the profiles of a partial into account."""
        for key, _, profile in profiles:
            if key.model in self._settled or not profile.rows:
                continue
            if not profile.without_inputs:
                self._settled.add(key.model)
                continue
            self._rows[key.model] += profile.rows
            if self._rows[key.model] >= ENOUGH_ROWS:
                self._settled.add(key.model)
                rows = self._rows[key.model]
                self._log.error("inputs_missing", model=key.model, rows=rows, advice=ADVICE)
