"""The meaning of labels for a model: classes by name and code, numbers, and what fits neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.classes import class_name
from detectors.quality.config import Problem
from stream.labels.rows import NUMBER, Rows, taken

WRONG_TYPE: Final = 1
UNKNOWN_CLASS: Final = 2
MODEL_REMOVED: Final = 3
REASONS: Final = ("row_count", "wrong_label_type", "unknown_class", "model_removed")
"""The reasons for which a label does not fit its prediction, by number."""
MOST_CLASSES: Final = 32_000
"""The largest number of distinct texts and classes of a job, apart from configured classes."""
_MOST_CODES: Final = 32_768
"""The number of codes that a row can hold."""
UNKNOWN: Final = -1
"""The code of a class that is not known, or for which there is no room."""


class LabelledModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of one model mean.

    ``positive`` and ``negative`` are the classes of a binary problem. ``classes`` are those of a
    multiclass problem; empty where any class may come. ``removed``: its predictions are no longer
    joined.
    """

    problem: Problem
    positive: str = ""
    negative: str = ""
    classes: tuple[str, ...] = ()
    removed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes that a label may be; empty if any may come, or a number."""
        if self.problem == "binary":
            return tuple(binary_codes(self.positive, self.negative))
        return self.classes


def binary_codes(positive: str, negative: str) -> dict[str, int]:
    """Return the code of each name of the two classes of a binary problem.

    Labels of classes 1 and 0 may be true and false, and the other way round.

    >>> binary_codes("1", "0")
    {'0': 0, '1': 1, 'false': 0, 'true': 1}
    """
    codes = {negative: 0, positive: 1}
    other = {"0": "false", "1": "true", "false": "0", "true": "1"}
    if all(name in other for name in codes):
        codes |= {other[name]: code for name, code in codes.items()}
    return codes


class ClassTable:
    """Class names by code, shared by all models of a job; codes are given in order of arrival."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self._codes = {name: code for code, name in enumerate(names)}

    def code(self, name: str) -> int:
        """Return the code of a name, which is added if there is room; -1 if there is none."""
        known = self._codes.get(name)
        if known is not None:
            return known
        if len(self.names) >= MOST_CLASSES:
            return UNKNOWN
        self._codes[name] = len(self.names)
        self.names.append(name)
        return len(self.names) - 1

    def reserve(self, names: Iterable[str]) -> None:
        """Add names for which there must be room, whatever texts come as labels."""
        for name in names:
            if name not in self._codes and len(self.names) < _MOST_CODES:
                self._codes[name] = len(self.names)
                self.names.append(name)

    def known(self, name: str) -> int:
        """Return the code of a name, -1 if it was never added."""
        return self._codes.get(name, UNKNOWN)


class LabelMeaning:
    """The meaning of label rows for the models that their predictions belong to.

    ``models`` has the model of each key.
    """

    def __init__(self, models: Sequence[LabelledModel], table: ClassTable) -> None:
        self._models = models
        self._table = table

    def fits(self, predictions: Rows, labels: Rows) -> Ints:
        """Return 0 for each pair in which the label fits the model, else the number of a reason."""
        return self._read(predictions, labels)[1]

    def values(self, predictions: Rows, labels: Rows) -> Floats:
        """Return the label of each pair that fits: a number, or the code of a class."""
        return self._read(predictions, labels)[0]

    def _read(self, predictions: Rows, labels: Rows) -> tuple[Floats, Ints]:
        values = np.zeros(len(labels))
        reasons = np.zeros(len(labels), np.int64)
        for key in np.unique(predictions["key"]).tolist():
            of_key = np.flatnonzero(predictions["key"] == key)
            values[of_key], reasons[of_key] = self._of_model(
                self._models[key], taken(labels, of_key)
            )
        return values, reasons

    def _of_model(self, model: LabelledModel, labels: Rows) -> tuple[Floats, Ints]:
        if model.removed:
            return np.zeros(len(labels)), np.full(len(labels), MODEL_REMOVED)
        if model.problem == "regression":
            return labels["value"], np.where(labels["code"] == NUMBER, 0, WRONG_TYPE)
        codes = (
            self._binary(model, labels) if model.problem == "binary" else self._many(model, labels)
        )
        return codes.astype(np.float64), np.where(codes == UNKNOWN, UNKNOWN_CLASS, 0)

    def _binary(self, model: LabelledModel, labels: Rows) -> Ints:
        return self._by_name(labels, binary_codes(model.positive, model.negative))

    def _many(self, model: LabelledModel, labels: Rows) -> Ints:
        if model.classes:
            return self._by_name(labels, {name: self._table.code(name) for name in model.classes})
        return self._by_name(labels, None)

    def _by_name(self, labels: Rows, codes: dict[str, int] | None) -> Ints:
        """Return the code of each label's class; without ``codes`` that of the table."""
        result = np.empty(len(labels), np.int64)
        numbers = labels["code"] == NUMBER
        for column, mask in ((labels["code"], ~numbers), (labels["value"], numbers)):
            distinct, inverse = np.unique(column[mask], return_inverse=True)
            is_number = column.dtype.kind == "f"
            names = [
                class_name(entry) if is_number else self._table.names[entry]
                for entry in distinct.tolist()
            ]
            of_name = [
                self._table.code(name) if codes is None else codes.get(name, UNKNOWN)
                for name in names
            ]
            result[mask] = np.array(of_name, np.int64)[inverse]
        return result
