"""The first look at training data: types, quantiles, extremes, frequent values; one pass, bounded
memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt

import datasketches
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Floats
from detectors.profiles.binning import (
    ATOM_SHARE,
    MAX_CODES,
    codes_feature,
    grid_feature,
    text_feature,
)
from detectors.profiles.columns import numbers_from_text
from detectors.profiles.layout import (
    BOOLEAN,
    FRACTIONAL,
    INTEGRAL,
    MISSING,
    STRING,
    Feature,
    InferredType,
    Role,
)

KLL_K = 2_048
MOST_TRACKED = 200_000
MOST_SAMPLED = 65_536


class ColumnScan:
    """What is known of one column so far. Numbers go into a KLL sketch (k = 2,048, as
    ``statistics.json`` has it).

    The bins come from a sample instead, since the sketch flips coins: every number up to 65,536 of
    them, then every second, every fourth, ... in the order they came, so that the same file always
    gives the same baseline. Up to ``KLL_K`` numbers are also kept as they came: then the sketch is
    the data. Frequent values are counted exactly while there are at most 200,000 different ones;
    beyond that the rare half is forgotten now and then.

    A number is what :mod:`detectors.profiles.columns` reads as one, so that a column is typed here
    as its events will be counted: ``NaN``, ``.5`` and `` 7`` do not make a column of numbers
    String, as SageMaker's patterns would.
    """

    def __init__(self) -> None:
        self.rows = self.missing = self.finite = 0
        self.types: Counter[int] = Counter()
        self.sketch = datasketches.kll_doubles_sketch(KLL_K)
        self.first: list[float] = []
        self.sample = np.empty(0)
        self.stride = 1
        self.values: Counter[str] = Counter()
        self.low, self.high, self.sum = np.inf, -np.inf, 0.0
        self.shift: float | None = None
        self.total = self.squares = 0.0
        self.forgot = False

    def add(self, column: pa.StringArray) -> None:
        """Take a chunk of text."""
        read = numbers_from_text(column, integral=True)
        slots = read.slots if read.slots is not None else np.full(len(column), INTEGRAL, np.uint8)
        self.rows += len(column)
        self.missing += int((slots == MISSING).sum())
        self.types.update(
            {
                int(slot): int(count)
                for slot, count in enumerate(np.bincount(slots))
                if slot != MISSING and count
            }
        )
        self._numbers(read.values[(slots >= INTEGRAL) & np.isfinite(read.values)])
        for one in pc.value_counts(column.filter(pa.array(slots != MISSING))).to_pylist():
            self.values[one["values"]] += one["counts"]
        if len(self.values) > MOST_TRACKED:
            self.values, self.forgot = (
                Counter(dict(self.values.most_common(MOST_TRACKED // 2))),
                True,
            )

    def pad(self, rows: int) -> None:
        """``rows`` have gone by; those that this column was absent from are missing values."""
        self.missing += rows - self.rows
        self.rows = rows

    def _numbers(self, values: Floats) -> None:
        if not len(values):
            return
        self.shift = float(values.mean()) if self.shift is None else self.shift
        self.sketch.update(np.ascontiguousarray(values))
        self.first += values[: KLL_K - len(self.first)].tolist()
        self._sample(values)
        self.finite += len(values)
        self.low, self.high = (
            min(self.low, float(values.min())),
            max(self.high, float(values.max())),
        )
        self.sum += float(values.sum())
        self.total += float((values - self.shift).sum())
        with np.errstate(over="ignore"):
            self.squares += float(((values - self.shift) ** 2).sum())

    def _sample(self, values: Floats) -> None:
        self.sample = np.append(self.sample, values[-self.finite % self.stride :: self.stride])
        while len(self.sample) > MOST_SAMPLED:
            self.sample, self.stride = self.sample[::2], self.stride * 2

    @property
    def type(self) -> InferredType:
        """The inferred type: any text that is no number makes it String, else any fraction
        Fractional, else Integral.
        """
        if not self.types:
            return "Unknown"
        if self.types[STRING] or self.types[BOOLEAN] or not self.finite:
            return "String"
        return "Fractional" if self.types[FRACTIONAL] else "Integral"

    @property
    def mean(self) -> float:
        """Mean of the finite numbers."""
        return self.sum / self.finite if self.finite else float("nan")

    @property
    def std(self) -> float:
        """Population standard deviation of the finite numbers."""
        if not self.finite:
            return float("nan")
        if len(self.first) == self.finite:
            return _running_std(self.first)
        away = self.total / self.finite
        return float(np.sqrt(max(self.squares / self.finite - away * away, 0.0)))

    def feature(self, name: str, role: Role) -> Feature | None:
        """The bins of this column; ``None`` if it has no value at all."""
        kind = self.type
        if kind == "Unknown":
            return None
        if kind == "String":
            return text_feature(name, role, self.values)
        counts = self._by_number()
        if not self.forgot and len(counts) <= MAX_CODES:
            return codes_feature(name, role, kind, counts)
        atoms = {
            value: count / self.finite
            for value, count in counts.items()
            if count >= ATOM_SHARE * self.finite
        }
        return grid_feature(
            name,
            role,
            kind,
            np.sort(self.sample).tolist(),
            atoms,
            self.low,
            self.high,
            self.mean,
            self.std,
        )

    def _by_number(self) -> Counter[float]:
        """Counts by value: ``1``, ``1.0`` and ``01`` are one number. Only the frequent ones if
        there are many.
        """
        few = self.values.items() if len(self.values) <= 10_000 else self.values.most_common(1_000)
        out: Counter[float] = Counter()
        for text, count in few:
            value = float(text.strip(" \t")) if "(" not in text else float("nan")
            if np.isfinite(value):
                out[value + 0.0] += count
        return out


def _running_std(values: Sequence[float]) -> float:
    """Population standard deviation by Welford's recurrence, value by value: the last digit too is
    as Spark computes it.
    """
    mean = squares = 0.0
    for n, value in enumerate(values, 1):
        away = value - mean
        step = away / n
        mean += step
        squares += away * (away - step)
    return sqrt(squares / len(values))
