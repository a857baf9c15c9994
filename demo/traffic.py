"""The endpoint that is watched: what it is asked, window by window, what it answers, and what
turned out to be true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demo.captures import capture_lines, write_capture_file
from demo.flights import Flights, retime
from demo.incidents import HOUR_MS, Incident, pieces
from demo.model import Model, rmse
from detectors.arrays import Floats

START_MS = 1_767_571_200_000
"""The replay begins on Monday, 2026-01-05, 00:00 UTC."""
WINDOW_MS = 600_000
WINDOWS = 48 * HOUR_MS // WINDOW_MS
LENGTH_MS = (WINDOWS + 1) * WINDOW_MS
"""Two days, and ten minutes whose events close the last window."""


@dataclass
class ServedFlights:
    """Flights that were asked about while one model answered and the same incidents went on."""

    flights: Flights
    predicted: Floats


@dataclass
class Traffic:
    """Writes capture files of one window each; remembers what was asked, answered and true (the
    labels come later).
    """

    flights: Flights
    model: Model
    incidents: Sequence[Incident]
    folder: Path
    answered: list[ServedFlights] = field(default_factory=list)
    events: int = 0

    def __post_init__(self) -> None:
        self.flights = retime(self.flights, LENGTH_MS)

    def write(self, window: int) -> int:
        """Ask about the flights of this window, write the capture file, and return the number of
        events.
        """
        start_ms = window * WINDOW_MS
        lines: list[str] = []
        for piece in pieces(self.incidents, self.flights.between(start_ms, start_ms + WINDOW_MS)):
            predicted = self.model.predict(piece.features)
            lines += capture_lines(piece, predicted, self.events + len(lines), START_MS)
            self.answered.append(ServedFlights(piece, predicted))
        write_capture_file(self.folder, lines, START_MS + start_ms + WINDOW_MS)
        self.events += len(lines)
        return len(lines)

    def between(self, start_ms: int, end_ms: int) -> list[ServedFlights]:
        """What was asked and answered in ``[start_ms, end_ms)``."""
        out = []
        for one in self.answered:
            start, stop = np.searchsorted(one.flights.time_ms, [start_ms, end_ms]).tolist()
            if stop > start:
                out.append(ServedFlights(one.flights.slice(start, stop), one.predicted[start:stop]))
        return out

    def count(self, start_ms: int, end_ms: int) -> int:
        """How many events there were in ``[start_ms, end_ms)``."""
        return sum(len(one.flights) for one in self.between(start_ms, end_ms))

    def rmse(self, start_ms: int, end_ms: int) -> float:
        """Error in minutes of the answers in ``[start_ms, end_ms)``; NaN if there were none."""
        found = self.between(start_ms, end_ms)
        if not found:
            return float("nan")
        actual = np.concatenate([one.flights.label for one in found])
        return rmse(np.concatenate([one.predicted for one in found]), actual)
