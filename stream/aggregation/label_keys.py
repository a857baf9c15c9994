"""The numbers that a job gives to models and variants, and what labels mean for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from stream.aggregation.quality_model import QualityModel
from stream.aggregation.state import LabelState
from stream.aggregation.variants import NamedVariants
from stream.events import ModelKey
from stream.labels.classes import ClassTable, LabelledModel
from stream.labels.rows import PREDICTION, Predictions, Rows

MOST_KEYS: Final = 65_000
"""The largest number of models and variants whose predictions can wait."""
REMOVED: Final = LabelledModel(problem="regression", removed=True)
"""The meaning of labels for a model whose quality is no longer measured."""


class LabelKeys:
    """Models and variants by number; a number keeps its model for ever.

    ``meanings`` has the meaning of labels for each number. ``table`` has the names of classes.
    """

    def __init__(
        self,
        state: LabelState,
        models: Mapping[str, QualityModel],
        variants: NamedVariants,
        table: ClassTable,
    ) -> None:
        self._state = state
        self._models = models
        self._variants = variants
        self._table = table
        self.meanings: list[LabelledModel] = []
        self._numbers: dict[ModelKey, int] = {}
        for number, (model, variant, removed) in enumerate(state.keys):
            self._set(number, ModelKey(model, variant), removed)

    def key(self, number: int) -> ModelKey:
        """Return the model and variant of a number."""
        model, variant, _ = self._state.keys[number]
        return ModelKey(model, variant)

    def remove(self, model: str) -> None:
        """Give no more labels to the predictions that a model has made so far."""
        for number, (name, variant, _) in enumerate(self._state.keys):
            if name == model:
                self._state.keys[number] = (name, variant, True)
                self._set(number, ModelKey(name, variant), removed=True)

    def numbered(self, predictions: Predictions) -> Rows:
        """Return the rows of a partial with the numbers of the job: keys and codes of classes.

        The key is ``MOST_KEYS`` where there is no room for another model or variant, and the code
        ``UNKNOWN`` where there is none for another class.
        """
        rows = np.frombuffer(bytearray(predictions.rows), PREDICTION)
        keys = np.array([self._number(key) for key in predictions.keys], np.int64)
        if not len(rows):
            return rows
        many = np.array([self._is_multiclass(key) for key in predictions.keys], bool)
        of_classes = many[rows["key"]]
        rows["key"] = keys[rows["key"]]
        if of_classes.any():
            codes = np.array([self._table.code(name) for name in predictions.classes], np.int64)
            rows["code"][of_classes] = codes[rows["code"][of_classes]]
        return rows

    def _set(self, number: int, key: ModelKey, removed: bool) -> None:
        removed = removed or key.model not in self._models
        meaning = REMOVED if removed else self._models[key.model].meaning
        if number < len(self.meanings):
            self.meanings[number] = meaning
            if self._numbers.get(key) == number:
                del self._numbers[key]
        else:
            self.meanings.append(meaning)
        if not removed:
            self._numbers[key] = number

    def _number(self, key: ModelKey) -> int:
        """Return the number of a model and variant, which is given on first use."""
        key = self._variants.named(key)
        if key not in self._numbers and len(self._state.keys) < MOST_KEYS:
            self._state.keys.append((key.model, key.variant, False))
            self._set(len(self._state.keys) - 1, key, removed=False)
        return self._numbers.get(key, MOST_KEYS)

    def _is_multiclass(self, key: ModelKey) -> bool:
        model = self._models.get(key.model)
        return model is not None and model.meaning.problem == "multiclass"
