"""river: ADWIN, Page-Hinkley and KSWIN with their defaults on each number, warmed up by the last
2,000 of the reference; a window is flagged if one of its events is. Texts have no answer.
"""

from __future__ import annotations

import numpy as np
from river import drift

from benchmarks.detection.kinds import is_text, names_of, present

WARM_UP = {"ADWIN": 2_000, "Page-Hinkley": 2_000, "KSWIN": 200}
KSWIN_UP_TO = 100
"""Rows a window up to which KSWIN is run, and on one feature: an event takes it a third of a
millisecond.
"""


def warmed_up(method, values):
    """A detector that has seen the end of the reference."""
    make = {"ADWIN": drift.ADWIN, "Page-Hinkley": drift.PageHinkley}
    detector = make[method]() if method in make else drift.KSWIN(seed=1)
    for value in values[-WARM_UP[method] :]:
        detector.update(value)
    return detector


class Detectors:
    def __init__(self, kinds, reference, n):
        self._n, self._features = n, len(kinds)
        self._of = []
        for i, (name, kind) in enumerate(zip(names_of(kinds), kinds, strict=True)):
            if is_text(kind):
                continue
            values = present(kind, reference[name])
            for method in WARM_UP:
                if method != "KSWIN" or (i == 0 and n <= KSWIN_UP_TO):
                    self._of.append((method, i, name, kind, warmed_up(method, values)))

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
    remembers_windows = True

    def watch(self, kinds, reference, n):
        return Detectors(kinds, reference, n)
