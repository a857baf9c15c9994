"""The monitored endpoint: its requests and responses, window by window, and its late labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demo.captures import capture_lines, write_capture_file
from demo.flights import SEED, Flights, retime
from demo.incidents import HOUR_MS, Incident, pieces
from demo.labels import LabelFiles, known_ms
from demo.model import Model, rmse
from detectors.arrays import Floats, Ints

START_MS = 1_767_571_200_000
"""The replay starts on Monday, 2026-01-05, 00:00 UTC."""
WINDOW_MS = 300_000
WINDOWS = 48 * HOUR_MS // WINDOW_MS
LENGTH_MS = (WINDOWS + 1) * WINDOW_MS
"""Two days, and a further five minutes whose events close the last window."""


@dataclass
class ServedFlights:
    """Flights that one model served while the same incidents were active, and the time at which
    the label of each is known.
    """

    flights: Flights
    predicted: Floats
    known_ms: Ints


@dataclass
class Traffic:
    """Writes the captures of each window and the labels that become known in it.

    It keeps all labels from the start on, which the monitored service does not have.
    """

    flights: Flights
    model: Model
    incidents: Sequence[Incident]
    captures: Path
    labels: Path
    served: list[ServedFlights] = field(default_factory=list)
    events: int = 0

    def __post_init__(self) -> None:
        self.flights = retime(self.flights, LENGTH_MS)
        self._label_log = LabelFiles(self.labels, START_MS)
        self._rng = np.random.default_rng(SEED)
        self._predictions = np.zeros(WINDOWS + 1, np.int64)
        self._labelled = np.zeros(WINDOWS + 1, np.int64)

    def write(self, window: int) -> int:
        """Serve the flights of a window and write their capture file, and the labels known by its
        end; return the number of events.
        """
        start_ms, end_ms = window * WINDOW_MS, (window + 1) * WINDOW_MS
        lines: list[str] = []
        for piece in pieces(self.incidents, self.flights.between(start_ms, end_ms)):
            first_id = self.events + len(lines)
            served = ServedFlights(
                piece, self.model.predict(piece.features), known_ms(piece, self._rng)
            )
            lines += capture_lines(piece, served.predicted, first_id, START_MS)
            self._label_log.add(piece, served.known_ms, first_id)
            self.served.append(served)
        write_capture_file(self.captures, lines, START_MS + end_ms)
        self._predictions[window] = len(lines)
        np.add.at(self._labelled, self._label_log.write(end_ms) // WINDOW_MS, 1)
        self.events += len(lines)
        return len(lines)

    def labelled_windows(self, share: float) -> int:
        """The number of windows of which at least a share of the predictions has a label that was
        written.
        """
        enough = self._labelled >= share * self._predictions
        return int(np.count_nonzero(enough & (self._predictions > 0)))

    def between(self, start_ms: int, end_ms: int) -> list[ServedFlights]:
        """The flights served in ``[start_ms, end_ms)``."""
        served = []
        for part in self.served:
            start, stop = np.searchsorted(part.flights.time_ms, [start_ms, end_ms]).tolist()
            if stop > start:
                flights = part.flights.slice(start, stop)
                span = slice(start, stop)
                served.append(ServedFlights(flights, part.predicted[span], part.known_ms[span]))
        return served

    def labelled(self, start_ms: int, end_ms: int) -> list[Flights]:
        """The flights served in ``[start_ms, end_ms)`` whose label is known at its end."""
        return [
            part.flights.where(part.known_ms < end_ms) for part in self.between(start_ms, end_ms)
        ]

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
