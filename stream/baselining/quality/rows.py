"""The labelled answers in a baseline file, as columns of numbers and codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.quality.classes import class_name, opposite
from detectors.quality.config import Problem
from detectors.quality.rows import LabelledRows
from stream.baselining.quality.cells import ClassCells, NumberCells, shown_classes, text_cells
from stream.baselining.training_data import Progress, TrainingData
from stream.errors import ColumnsUnknown, DataError

USUAL: Final = ("1", "true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y", "t", "T")
"""The positive classes that need no ``--positive``."""


class QualityColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Which columns of a file are what, and how they are read.

    Without ``prediction`` the class follows from ``probability``: it is positive above
    ``threshold``. ``missing`` are the texts that stand for a missing cell, ``None`` for the usual
    ones.
    """

    problem: Problem
    label: str
    prediction: str = ""
    probability: str = ""
    threshold: float = 0.5
    positive: str = ""
    missing: tuple[str, ...] | None = None

    @property
    def names(self) -> dict[str, str]:
        """The columns that are read, by the option that names them."""
        named = {"label": self.label, "prediction": self.prediction}
        named["probability"] = self.probability
        return {option: name for option, name in named.items() if name}


class QualityRows(NamedTuple):
    """The rows of a file that have a label and an answer.

    ``classes`` are by code, and of a binary problem the negative and the positive one.
    ``left_out`` has the rows that were not used, by reason in words.
    """

    rows: LabelledRows
    classes: tuple[str, ...]
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.rows.label)


def read_rows(
    data: TrainingData, path: Path, columns: QualityColumns, progress: Progress = lambda _: None
) -> QualityRows:
    """Return the rows of a file or folder; all of them are held in memory.

    A column is named as in the file; that of a CSV without a header also by its position, from 0.
    Rows without a label or without an answer are left out, and counted.

    Raises :class:`~stream.errors.ColumnsUnknown` for a column that no file has, and
    :class:`~stream.errors.DataError` for cells that do not fit the problem, probabilities outside
    0 to 1, and files without a usable row.
    """
    names: dict[str, int] = {}
    cells: dict[str, NumberCells | ClassCells] = {}
    for option, name in columns.names.items():
        numeric = option == "probability" or columns.problem == "regression"
        missing = columns.missing
        cells[option] = NumberCells(name, missing) if numeric else ClassCells(name, missing, names)
    seen: dict[str, None] = {}
    for table in data.chunks(progress):
        seen.update(dict.fromkeys(table.column_names))
        for option, name in columns.names.items():
            cells[option].add(text_cells(table, _actual(name, table.column_names)))
    for option, name in columns.names.items():
        if seen and _actual(name, list(seen)) not in seen:
            raise ColumnsUnknown(str(path), option, [name], list(seen))
    values = {option: cell.values() for option, cell in cells.items()}
    return _usable(values, tuple(names), columns, str(path))


def _actual(name: str, names: Sequence[str]) -> str:
    """The column that ``name`` stands for: a position where columns have no names of their own."""
    numbered = f"_c{name}"
    return numbered if name not in names and numbered in names else name


def _usable(
    values: dict[str, Floats], names: tuple[str, ...], columns: QualityColumns, where: str
) -> QualityRows:
    label = values["label"]
    probability = values.get("probability", np.full(len(label), np.nan))
    answer = values.get("prediction", probability)
    kept = ~np.isnan(label) & ~np.isnan(answer)
    if not kept.any():
        reason = "no row has a label and an answer" if len(label) else "there is no row"
        raise DataError(where, reason)
    _check_probability(probability, columns, where)
    left_out = _left_out(label, answer)
    label, probability, answer = label[kept], probability[kept], answer[kept]
    if columns.problem != "binary":
        return QualityRows(_labelled(answer, probability, label), names, left_out)
    classes = _two_classes(names, columns, where)
    label = _recoded(label, names, classes)
    if "prediction" in values:
        answer = _recoded(answer, names, classes)
    else:
        answer = (probability > columns.threshold).astype(np.float64)
    return QualityRows(_labelled(answer, probability, label), classes, left_out)


def _labelled(prediction: Floats, probability: Floats, label: Floats) -> LabelledRows:
    n = len(label)
    return LabelledRows(prediction, probability, label, np.ones(n, np.int64), np.zeros(n, np.int64))


def _left_out(label: Floats, prediction: Floats) -> dict[str, int]:
    unlabelled = np.isnan(label)
    counts = {
        "without a label": int(unlabelled.sum()),
        "without a prediction": int((np.isnan(prediction) & ~unlabelled).sum()),
    }
    return {reason: count for reason, count in counts.items() if count}


def _check_probability(probability: Floats, columns: QualityColumns, where: str) -> None:
    outside = np.flatnonzero((probability < 0) | (probability > 1))
    if len(outside):
        value, row = probability[outside[0]], outside[0] + 1
        more = f", and in {len(outside) - 1:,} more rows" if len(outside) > 1 else ""
        reason = (
            f"column {columns.probability!r}: expected a probability from 0 to 1, found {value:g}"
            f" in row {row:,}{more}"
        )
        raise DataError(where, reason)


def _two_classes(names: Sequence[str], columns: QualityColumns, where: str) -> tuple[str, ...]:
    """The negative and the positive class."""
    read = " and ".join(repr(n) for o, n in columns.names.items() if o != "probability")
    if len(names) > 2:
        reason = (
            f"{read} hold {len(names):,} classes ({shown_classes(names)}): expected two. For more"
            " classes give --quality multiclass; a score belongs to --probability"
        )
        raise DataError(where, reason)
    given = class_name(columns.positive)
    usual = [name for name in USUAL if name in names or opposite(name) in names]
    positive = given or next(iter(usual), "")
    others = [name for name in names if name != positive]
    if not positive or len(others) == len(names) > 1:
        raise PositiveUnknown(where, columns.positive, names)
    return (others[0] if others else opposite(positive) or f"not {positive}"), positive


class PositiveUnknown(DataError):
    """A binary problem without a known positive class: the one given, and those in the data."""

    def __init__(self, where: str, given: str, names: Sequence[str]) -> None:
        self.given = given
        self.names = tuple(names)
        cause = f"no row is of the class {given!r}" if given else "the positive class is unknown"
        super().__init__(
            where, f"{cause}; classes: {shown_classes(names)}. Name one with --positive"
        )


def _recoded(codes: Floats, names: Sequence[str], classes: Sequence[str]) -> Floats:
    """Codes into ``names`` as codes into ``classes``."""
    table = np.array([float(classes.index(name)) for name in names])
    return table[codes.astype(np.int64)]
