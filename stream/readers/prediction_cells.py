"""Reads the predictions of one model in the columns of a batch: codes of classes, and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.reading import BLANKS, FALSE, TRUE, CellReading
from detectors.quality.classes import class_name
from stream.readers.prediction_rules import PredictionColumns

UNUSABLE: Final = -2
"""The code of a row whose prediction is missing, or is nothing that can be read."""
UNKNOWN: Final = -1
"""The code of a row whose class is none of the model's."""
LONGEST_CLASS: Final = 256
"""The largest number of characters of a class; a longer text is no class."""
MOST_CLASSES: Final = 32_768
"""The largest number of classes of multiclass problems in one partial."""
_NO_NUMBERS: Final = ("nan", "inf", "-inf")

CodeOf = Callable[[str], int]
"""A function from the name of a class to its code, :data:`UNKNOWN` if it has none."""


class PredictedRows(NamedTuple):
    """The predictions of some rows, as columns; :data:`UNUSABLE` or :data:`UNKNOWN` is a code."""

    code: Ints
    value: Floats


def predicted_rows(
    model: PredictionColumns, columns: Mapping[str, Column], rows: int, classes: dict[str, int]
) -> PredictedRows:
    """Return the predictions in the ``rows`` rows of some columns.

    Binary: the code is 1 for the positive and 0 for the negative class; without a ``prediction``
    column 1 where the probability is strictly greater than the threshold. Multiclass: the code is
    that of the class in ``classes``, to which new ones are added. The value is the probability, NaN
    without one: a number out of [0, 1] is none. Regression: the code is 0, the value is the number.
    A row is unusable if the cell that the code or the number follows from is missing, NaN, infinite
    or unreadable, or if there is no such column.
    """
    if model.problem == "regression":
        value = _numbers(columns.get(model.prediction), model.prediction_reading, rows)
        return PredictedRows(np.where(np.isfinite(value), 0, UNUSABLE), value)
    value = _numbers(columns.get(model.probability), model.probability_reading, rows)
    value = np.where((value >= 0) & (value <= 1), value, np.nan)
    if model.problem == "binary" and not model.prediction:
        code = np.where(np.isnan(value), UNUSABLE, (value > model.threshold).astype(np.int64))
        return PredictedRows(code, value)
    column = columns.get(model.prediction)
    if column is None:
        return PredictedRows(np.full(rows, UNUSABLE), value)
    if model.problem == "binary":
        return PredictedRows(_binary_codes(column, model), value)
    return PredictedRows(_multiclass_codes(column, model.prediction_reading, classes), value)


def _binary_codes(column: Column, model: PredictionColumns) -> Ints:
    reading = model.prediction_reading
    if isinstance(column, Texts):
        # The positive class comes last: it prevails if a reading makes both classes one.
        pair = {_spelled(model.negative, reading): 0, _spelled(model.positive, reading): 1}
        return _text_codes(column, reading, lambda name: pair.get(name, UNKNOWN))
    code = np.where(np.isfinite(column.values), UNKNOWN, UNUSABLE)
    for name, known in ((model.negative, 0), (model.positive, 1)):
        code[column.values == _number_of(name, reading)] = known
    return code


def _multiclass_codes(column: Column, reading: CellReading, classes: dict[str, int]) -> Ints:
    def code_of(name: str) -> int:
        if name not in classes and len(classes) < MOST_CLASSES:
            classes[name] = len(classes)
        return classes.get(name, UNKNOWN)

    if isinstance(column, Texts):
        return _text_codes(column, reading, code_of)
    code = np.full(len(column.values), UNUSABLE)
    finite = np.isfinite(column.values)
    distinct, place = np.unique(column.values[finite], return_inverse=True)
    codes = [code_of(class_name(number)) for number in distinct.tolist()]
    code[finite] = np.array(codes, np.int64)[place]
    return code


def _text_codes(texts: Texts, reading: CellReading, code_of: CodeOf) -> Ints:
    """Return the code of each text; each distinct text is looked at once."""
    markers = {marker.strip(BLANKS) for marker in reading.missing}

    def read(text: str) -> int:
        bare = text.strip(BLANKS)
        if len(bare) > LONGEST_CLASS:
            return UNKNOWN
        name = _spelled(bare, reading)
        missing = not name or bare in markers or name in _NO_NUMBERS
        return UNUSABLE if missing else code_of(name)

    encoded = pc.dictionary_encode(texts.values)
    codes = np.array([*map(read, encoded.dictionary.to_pylist()), UNUSABLE], np.int64)
    places: Ints = codes[encoded.indices.fill_null(-1).to_numpy()]
    return places


def _spelled(name: str, reading: CellReading) -> str:
    """Return the name of a class; where a feature holds booleans, ``true`` or ``false``."""
    for spellings in (TRUE, FALSE) if reading.booleans else ():
        if name in spellings:
            return spellings[0]
    return class_name(name)


def _number_of(name: str, reading: CellReading) -> float:
    """Return the number that a class is in a numeric column, NaN if it is none."""
    for spellings, number in ((TRUE, 1.0), (FALSE, 0.0)) if reading.booleans else ():
        if name in spellings:
            return number
    try:
        number = float(name)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and class_name(number) == class_name(name) else math.nan


def _numbers(column: Column | None, reading: CellReading, rows: int) -> Floats:
    """Return the numbers of a column, NaN where a cell has none."""
    if column is None:
        return np.full(rows, np.nan)
    if not isinstance(column, Texts):
        return column.values
    texts = column.values
    if reading.missing:
        texts = pc.if_else(pa.array(_marked(texts, reading)), pa.scalar(None, pa.string()), texts)
    return numbers_from_text(texts, False).values


def _marked(texts: pa.StringArray, reading: CellReading) -> NDArray[np.bool_]:
    """Return which texts are missing markers, with blanks around them or not."""
    markers = pa.array([marker.strip(BLANKS) for marker in reading.missing], pa.string())
    marked = pc.is_in(pc.utf8_trim(texts, characters=BLANKS), value_set=markers)
    return np.array(marked, bool)
