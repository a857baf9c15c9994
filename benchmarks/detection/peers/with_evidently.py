"""Evidently: the statistical test that its data drift preset chooses, with its own threshold."""

from __future__ import annotations

import warnings

import pandas as pd

from benchmarks.detection.kinds import KINDS, is_text
from benchmarks.detection.peers.fixed import PerWindow

warnings.simplefilter("ignore")


def frame_column(kind, values):
    """Values as a data frame holds them: texts as objects."""
    words = KINDS[kind].words
    return pd.Series([words[code] for code in values] if words else values)


class PeerColumn:
    """The reference of a column; the window's values decide which test Evidently takes."""

    def __init__(self, kind, values):
        from evidently.legacy.core import ColumnType

        self._kind = kind
        self._reference = frame_column(kind, values)
        self._type = ColumnType.Categorical if is_text(kind) else ColumnType.Numerical

    def flags(self, values):
        from evidently.legacy.calculations.stattests import get_stattest

        current = frame_column(self._kind, values)
        test = get_stattest(self._reference, current, self._type, None)
        result = test(
            feature_type=self._type,
            reference_data=self._reference,
            current_data=current,
            threshold=None,
        )
        return {"Evidently": bool(result.drifted)}


class Evidently:
    remembers_windows = False

    def watch(self, kinds, reference, n):
        return PerWindow(kinds, n, PeerColumn, reference)
