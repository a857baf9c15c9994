"""river: ADWIN, Page-Hinkley and KSWIN with their defaults on each number, warmed up by the last
2,000 of the reference; a window is flagged if one of its events is. Texts have no answer.
"""

from __future__ import annotations

import numpy as np
from river import drift

from benchmarks.detection.kinds import is_text, names_of, present

WARM_UP = 2_000
KSWIN_UP_TO = 100
"""Rows a window up to which KSWIN is run: it takes a third of a millisecond an event."""


class Detectors:
    def __init__(self, kinds, reference, n):
        made = {"ADWIN": drift.ADWIN, "Page-Hinkley": drift.PageHinkley}
        if n <= KSWIN_UP_TO:
            made["KSWIN"] = lambda: drift.KSWIN(seed=1)
        self._n, self._features = n, len(kinds)
        self._of = []
        for i, (name, kind) in enumerate(zip(names_of(kinds), kinds, strict=True)):
            if is_text(kind):
                continue
            warm = present(kind, reference[name])[-WARM_UP:]
            for method, make in made.items():
                detector = make()
                for value in warm:
                    detector.update(value)
                self._of.append((method, i, name, kind, detector))

    def flags(self, columns):
        count = len(next(iter(columns.values()))) // self._n
        out = {}
        for method, i, name, kind, detector in self._of:
            flags = out.setdefault(method, np.zeros((count, self._features), bool))
            for k in range(count):
                for value in present(kind, columns[name][k * self._n : (k + 1) * self._n]):
                    detector.update(value)
                    flags[k, i] |= detector.drift_detected
        return out


class River:
    def watch(self, kinds, reference, n):
        return Detectors(kinds, reference, n)
