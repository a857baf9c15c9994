"""The rules by which readers find the predictions that wait for labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.profiles.reading import PLAIN, CellReading
from detectors.quality.config import Problem
from stream.events import ModelKey

IdName = Literal["inference_id", "event_id"]


class PredictionColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that hold the predictions of a model, and how they are read.

    ``prediction`` and ``probability`` are names of columns, empty without one. ``positive`` and
    ``negative`` are the classes of a binary problem, ``threshold`` is the probability above which a
    row is positive where there is no ``prediction``. The readings are those of the model's layout,
    without markers and booleans for a column that is still being learned.
    """

    problem: Problem
    prediction: str = ""
    probability: str = ""
    threshold: float = 0.5
    positive: str = ""
    negative: str = ""
    prediction_reading: CellReading = PLAIN
    probability_reading: CellReading = PLAIN


class PredictionRules:
    """Which predictions wait for labels, and where they are.

    ``columns`` are by model; the events of other models do not wait. ``join`` is the id that labels
    name, ``None`` for the inference id where an event has one, else its event id. ``sample`` is the
    share of the ids that wait.
    """

    def __init__(
        self, columns: Mapping[str, PredictionColumns], join: IdName | None, sample: float
    ) -> None:
        self.join = join
        self.sample = sample
        self.distinct = list(dict.fromkeys(columns.values()))
        self._number = {name: self.distinct.index(model) for name, model in columns.items()}

    def numbers(self, keys: Sequence[ModelKey]) -> Ints:
        """Return the index into ``distinct`` of each model, and of none at the end: -1."""
        return np.array([*(self._number.get(key.model, -1) for key in keys), -1], np.int64)
