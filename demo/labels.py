"""The labels: when the delay of a flight is known, and the files in which it is reported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from demo.captures import iso_time
from demo.flights import LABEL, MINUTE_MS, Flights
from detectors.arrays import Floats, Ints

TAXI_MS = 15 * MINUTE_MS
"""The time on the ground before take-off and after landing."""
REPORTED_WITHIN_MS = 30 * MINUTE_MS
"""The delay of a flight is reported within this time after it has reached its gate."""
A_DAY_LATE = 0.01
"""The share of the flights whose delay is reported one day later."""
NEVER = 0.02
"""The share of the flights whose delay is never reported."""
DAY_MS = 24 * 60 * MINUTE_MS
UNKNOWN_MS = 1 << 62
"""The time at which a label is known that never is."""
ID, KNOWN_AT = "inference_id", "known_at"
"""The fields of a label beside the label itself."""


def known_ms(flights: Flights, rng: np.random.Generator) -> Ints:
    """The time at which the delay of each flight is known, in whole seconds.

    Request + time in the air + ``TAXI_MS`` + up to ``REPORTED_WITHIN_MS``, evenly distributed;
    a day more for a share of ``A_DAY_LATE``, and ``UNKNOWN_MS`` for a share of ``NEVER``.
    """
    reported = rng.integers(0, REPORTED_WITHIN_MS, len(flights))
    fate = rng.random(len(flights))
    known = flights.time_ms + flights.air_ms + TAXI_MS + reported + DAY_MS * (fate < A_DAY_LATE)
    known = np.where(fate >= 1.0 - NEVER, UNKNOWN_MS, known // 1000 * 1000)
    return known.astype(np.int64)


class LabelFiles:
    """Writes labels as JSON lines below a folder, a file for each time in which some got known.

    ``epoch_ms`` is the time at which the replay starts.
    """

    def __init__(self, folder: Path, epoch_ms: int) -> None:
        self._folder = folder
        self._epoch_ms = epoch_ms
        self._waiting: list[tuple[Ints, Ints, Ints, Floats]] = []

    def add(self, flights: Flights, known: Ints, first_id: int) -> None:
        """Note the labels of flights with ids from ``first_id`` on, and when each is known."""
        ids = np.arange(first_id, first_id + len(flights))
        self._waiting.append((known, ids, flights.time_ms, flights.label))

    def write(self, until_ms: int) -> Ints:
        """Write all labels that are known before a time; return the times of their requests."""
        if not self._waiting:
            return np.empty(0, np.int64)
        known, ids, requested, label = map(np.concatenate, zip(*self._waiting, strict=True))
        left = (known >= until_ms) & (known < UNKNOWN_MS)
        self._waiting = [(known[left], ids[left], requested[left], label[left])]
        due = np.flatnonzero(known < until_ms)
        due = due[np.argsort(known[due], kind="stable")]
        if len(due):
            self._write_file(until_ms, "".join(self._lines(ids[due], known[due], label[due])))
        times: Ints = requested[due]
        return times

    def _lines(self, ids: Ints, known: Ints, label: Floats) -> Iterator[str]:
        rows = zip(ids.tolist(), known.tolist(), label.tolist(), strict=True)
        for number, time_ms, delay in rows:
            time = iso_time(self._epoch_ms + time_ms)
            yield json.dumps({ID: str(number), LABEL: delay, KNOWN_AT: time}) + "\n"

    def _write_file(self, until_ms: int, text: str) -> None:
        """Write a file that appears with all of its lines; its name sorts by the time."""
        at = datetime.fromtimestamp((self._epoch_ms + until_ms) / 1000, UTC)
        path = self._folder / f"{at:%Y/%m/%d/%H}" / f"{at:%M-%S}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
