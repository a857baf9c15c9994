"""NannyML: its univariate drift calculator (Jensen-Shannon), with chunks of the windows' size."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pandas as pd

from benchmarks.detection.kinds import KINDS, names_of

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
warnings.simplefilter("ignore")


def frame(kinds, columns):
    return pd.DataFrame(
        {
            name: _cells(kind, columns[name])
            for name, kind in zip(names_of(kinds), kinds, strict=True)
        }
    )


def _cells(kind, values):
    words = KINDS[kind].words
    if not words:
        return values
    return np.array([*words, None], dtype=object)[np.where(values < 0, len(words), values)]


class Chunks:
    def __init__(self, kinds, reference, n):
        import nannyml

        self._kinds, self._names = kinds, names_of(kinds)
        self._calculator = nannyml.UnivariateDriftCalculator(
            column_names=self._names, chunk_size=n
        ).fit(frame(kinds, reference))

    def flags(self, columns):
        result = self._calculator.calculate(frame(self._kinds, columns))
        table = result.filter(period="analysis").to_df()
        alerts = [table[(name, "jensen_shannon", "alert")].to_numpy(bool) for name in self._names]
        return {"NannyML": np.stack(alerts, axis=1)}


class NannyML:
    remembers_windows = False

    def watch(self, kinds, reference, n):
        return Chunks(kinds, reference, n)
