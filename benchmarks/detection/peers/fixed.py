"""Tests and distances of a window against the reference, as they are usually programmed.

``KS/chi2`` tests at 0.05 divided by the number of features (Bonferroni); ``PSI`` on the reference's
deciles, or on the values of a text, against 0.1; ``SageMaker`` is the robust distance of Model
Monitor with the true weights: L-infinity less ``1.8 sqrt(1/n + 1/m)``, against 0.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from benchmarks.detection.kinds import KINDS, is_text, names_of, present

LEVEL, PSI_LIMIT, GAP_LIMIT, FEATURES = 0.05, 0.1, 0.1, 20
LEAST_SHARE = 1e-4


class TextReference:
    """The reference of a text feature."""

    def __init__(self, kind, values):
        self._words = len(KINDS[kind].words)
        self._before = np.bincount(values, minlength=self._words)

    def flags(self, values):
        after = np.bincount(values, minlength=self._words)
        before, n, m = self._before, len(values), self._before.sum()
        return {
            "KS/chi2": self._p_value(after) < LEVEL / FEATURES,
            "PSI": psi(before / m, after / n) > PSI_LIMIT,
            "SageMaker": robust(np.abs(after / n - before / m).max(), n, m) > GAP_LIMIT,
        }

    def _p_value(self, after):
        table = np.stack((self._before, after))
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2:
            return 1.0
        return stats.chi2_contingency(table, correction=False)[1]


class NumberReference:
    """The reference of a numeric feature."""

    def __init__(self, kind, values):
        self._values = np.sort(values)
        self._edges = np.unique(np.quantile(values, np.arange(1, 10) / 10))
        self._shares = self._deciles(values)

    def flags(self, values):
        n, m = len(values), len(self._values)
        gap = self._gap(np.sort(values))
        p_value = stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * gap)
        return {
            "KS/chi2": p_value < LEVEL / FEATURES,
            "PSI": psi(self._shares, self._deciles(values)) > PSI_LIMIT,
            "SageMaker": robust(gap, n, m) > GAP_LIMIT,
        }

    def _deciles(self, values):
        cells = np.searchsorted(self._edges, values, side="right")
        return np.bincount(cells, minlength=len(self._edges) + 1) / len(values)

    def _gap(self, values):
        at = np.concatenate((self._values, values))
        before = np.searchsorted(self._values, at, side="right") / len(self._values)
        after = np.searchsorted(values, at, side="right") / len(values)
        return np.abs(before - after).max()


def psi(before, after):
    """The population stability index, with a least share in place of empty cells."""
    used = (before > 0) | (after > 0)
    p, q = np.maximum(before[used], LEAST_SHARE), np.maximum(after[used], LEAST_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


def robust(gap, n, m):
    return gap - 1.8 * np.sqrt(1 / n + 1 / m)


class Fixed:
    """All of them on each feature."""

    remembers_windows = False

    def watch(self, kinds, reference, n):
        return PerWindow(
            kinds,
            n,
            lambda kind, values: (TextReference if is_text(kind) else NumberReference)(
                kind, values
            ),
            reference,
        )


class PerWindow:
    """Methods that judge each feature of each window alone, without its missing values."""

    def __init__(self, kinds, n, learn: Callable, reference):
        self._n = n
        self._of = {
            name: (kind, learn(kind, present(kind, reference[name])))
            for name, kind in zip(names_of(kinds), kinds, strict=True)
        }

    def flags(self, columns):
        count = len(next(iter(columns.values()))) // self._n
        out = {}
        for k in range(count):
            for i, (name, (kind, learned)) in enumerate(self._of.items()):
                values = present(kind, columns[name][k * self._n : (k + 1) * self._n])
                for method, flag in (learned.flags(values) if len(values) else {}).items():
                    if method not in out:
                        out[method] = np.zeros((count, len(self._of)), bool)
                    out[method][k, i] = flag
        return out
