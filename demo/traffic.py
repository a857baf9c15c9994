"""The monitored endpoint: its requests and responses, window by window, and the true labels."""

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
"""The replay starts on Monday, 2026-01-05, 00:00 UTC."""
WINDOW_MS = 600_000
WINDOWS = 48 * HOUR_MS // WINDOW_MS
LENGTH_MS = (WINDOWS + 1) * WINDOW_MS
"""Two days, and a further ten minutes whose events close the last window."""


@dataclass
class ServedFlights:
    """Flights that one model served while the same incidents were active."""

    flights: Flights
    predicted: Floats


@dataclass
class Traffic:
    """Writes a capture file for each window, and keeps requests, responses and labels, which reach
    a real endpoint later.
    """

    flights: Flights
    model: Model
    incidents: Sequence[Incident]
    folder: Path
    served: list[ServedFlights] = field(default_factory=list)
    events: int = 0

    def __post_init__(self) -> None:
        self.flights = retime(self.flights, LENGTH_MS)

    def write(self, window: int) -> int:
        """Serve the flights of a window and write their capture file; return the number of
        events.
        """
        start_ms = window * WINDOW_MS
        lines: list[str] = []
        for piece in pieces(self.incidents, self.flights.between(start_ms, start_ms + WINDOW_MS)):
            predicted = self.model.predict(piece.features)
            lines += capture_lines(piece, predicted, self.events + len(lines), START_MS)
            self.served.append(ServedFlights(piece, predicted))
        write_capture_file(self.folder, lines, START_MS + start_ms + WINDOW_MS)
        self.events += len(lines)
        return len(lines)

    def between(self, start_ms: int, end_ms: int) -> list[ServedFlights]:
        """The flights served in ``[start_ms, end_ms)``."""
        served = []
        for part in self.served:
            start, stop = np.searchsorted(part.flights.time_ms, [start_ms, end_ms]).tolist()
            if stop > start:
                flights = part.flights.slice(start, stop)
                served.append(ServedFlights(flights, part.predicted[start:stop]))
        return served

    def count(self, start_ms: int, end_ms: int) -> int:
        """The number of events in ``[start_ms, end_ms)``."""
        return sum(len(part.flights) for part in self.between(start_ms, end_ms))

    def rmse(self, start_ms: int, end_ms: int) -> float:
        """RMSE in minutes of the predictions in ``[start_ms, end_ms)``; NaN without any."""
        parts = self.between(start_ms, end_ms)
        if not parts:
            return float("nan")
        actual = np.concatenate([part.flights.label for part in parts])
        return rmse(np.concatenate([part.predicted for part in parts]), actual)
