"""The first pass over training data: types, quantiles and frequent values, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from math import isfinite, sqrt
from typing import Final, Literal

import datasketches
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Floats
from detectors.profiles.binning import (
    ATOM_SHARE,
    MAX_CODES,
    codes_feature,
    empty_feature,
    grid_feature,
    text_feature,
)
from detectors.profiles.columns import numbers_from_text
from detectors.profiles.deviation import mean_and_deviation
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
from detectors.profiles.reading import BLANKS, CellReading, spellings
from stream.baselining.inferred_reading import (
    NUMBER_SHARE,
    hold_booleans,
    number_markers,
    text_markers,
)

KLL_K: Final = 2_048
"""The parameter k of the sketch, and the number of values up to which the sketch is exact."""
MAX_TRACKED: Final = 200_000
"""The largest number of different values that are counted exactly."""
LARGEST_EXACT: Final = 2.0**53
"""The largest number up to which all whole numbers are different as floating-point numbers."""
MAX_SAMPLED: Final = 65_536
"""The largest number of values in the sample that the bins are made from."""

Choice = Literal["text", "number"]
"""The kind of a column that the user has chosen."""


class ColumnScan:
    """Summarises one column, chunk by chunk.

    Numbers go into a KLL sketch (k = 2,048, as in ``statistics.json``). The sketch is randomised,
    so the bins are made from a sample instead: every number up to 65,536 of them, then every
    second, every fourth and so on, in the order of the data. The same file always gives the same
    baseline. Up to ``KLL_K`` numbers are also kept as they are, and replace the sketch. Values are
    counted exactly up to 200,000 different ones; beyond that the rarer half is dropped.

    Numbers are recognised by the grammar of :mod:`detectors.profiles.columns`, so that a column
    gets the type with which its events will be counted. With the patterns of SageMaker, ``NaN``,
    ``.5`` and `` 7`` would make it a String.

    ``choice`` is the kind that the user has chosen, ``None`` to infer it. ``markers`` are the
    user's missing markers, ``None`` for those of the common writers.
    """

    def __init__(self, choice: Choice | None = None, markers: Sequence[str] | None = None) -> None:
        self.choice = choice
        self.markers = markers
        self.rows = self.empty = self.finite = 0
        self._as_number = CellReading(missing=number_markers(markers))
        self._marked_numbers = 0
        self.types: Counter[int] = Counter()
        self.sketch = datasketches.kll_doubles_sketch(KLL_K)
        self.first: list[float] = []
        self.sample = np.empty(0)
        self.stride = 1
        self.texts: Counter[str] = Counter()
        self.low = np.inf
        self.high = -np.inf
        self.sum = 0.0
        self.shift: float | None = None
        self.total = self.squares = 0.0
        self.dropped_values = False

    def add(self, column: pa.StringArray) -> None:
        """Add a chunk of text."""
        read = numbers_from_text(column, True, self._as_number)
        slots = read.slots if read.slots is not None else np.full(len(column), INTEGRAL, np.uint8)
        present = pc.not_equal(pc.utf8_trim(column, characters=BLANKS), "").fill_null(False)
        self.rows += len(column)
        self.empty += len(column) - present.true_count
        self._marked_numbers += int((slots == MISSING).sum()) - len(column) + present.true_count
        for slot, count in enumerate(np.bincount(slots)):
            if slot != MISSING and count:
                self.types[slot] += int(count)
        self._add_numbers(read.values[(slots >= INTEGRAL) & np.isfinite(read.values)])
        self._count_texts(column.filter(present))

    def _count_texts(self, present: pa.StringArray) -> None:
        for entry in pc.value_counts(present).to_pylist():
            self.texts[entry["values"]] += entry["counts"]
        if len(self.texts) > MAX_TRACKED:
            self.texts = Counter(dict(self.texts.most_common(MAX_TRACKED // 2)))
            self.dropped_values = True

    def pad(self, rows: int) -> None:
        """Count the rows that this column was absent from as missing, up to ``rows`` in all."""
        self.empty += rows - self.rows
        self.rows = rows

    def _add_numbers(self, values: Floats) -> None:
        if not len(values):
            return
        self.sketch.update(np.ascontiguousarray(values))
        self.first += values[: KLL_K - len(self.first)].tolist()
        self._add_to_sample(values)
        self.finite += len(values)
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        # Beyond the largest float sums are infinite, or NaN where they have both signs.
        with np.errstate(over="ignore", invalid="ignore"):
            self.shift = float(values.mean()) if self.shift is None else self.shift
            self.sum += float(values.sum())
            self.total += float((values - self.shift).sum())
            self.squares += float(((values - self.shift) ** 2).sum())

    def _add_to_sample(self, values: Floats) -> None:
        self.sample = np.append(self.sample, values[-self.finite % self.stride :: self.stride])
        while len(self.sample) > MAX_SAMPLED:
            self.sample = self.sample[::2]
            self.stride *= 2

    @property
    def type(self) -> InferredType:
        """The inferred type.

        ``Fractional`` or ``Integral`` if at least :data:`NUMBER_SHARE` of the values are numbers,
        else ``String``; ``Unknown`` without values. Up to 32 different whole numbers, of which one
        is beyond ``2**53``, are ``String``: as numbers, two of them may be the same.
        """
        if self._is_numeric:
            return "Fractional" if self.types[FRACTIONAL] else "Integral"
        has_values = bool(self.types or self.choice == "text") and bool(self.values)
        return "String" if has_values else "Unknown"

    @property
    def _is_numeric(self) -> bool:
        if self.choice is not None or not self.finite:
            return self.choice == "number" and self.finite > 0
        numbers = self.types[INTEGRAL] + self.types[FRACTIONAL]
        return numbers >= NUMBER_SHARE * self.types.total() and not self._holds_large_codes

    @property
    def _holds_large_codes(self) -> bool:
        """Whether few whole numbers are so large that two of them may be one as a number."""
        is_large = max(-self.low, self.high) >= LARGEST_EXACT
        return is_large and not self.types[FRACTIONAL] and len(self.texts) <= MAX_CODES

    @property
    def unreadable(self) -> int:
        """Values of a numeric column that are not numbers; 0 in a text column."""
        return self.types[STRING] + self.types[BOOLEAN] if self._is_numeric else 0

    @property
    def missing(self) -> int:
        """Rows without a value, those with a missing marker among them."""
        if self._is_numeric:
            return self.empty + self._marked_numbers
        if self.type == "Unknown":
            return self.rows
        return self.empty + self.texts.total() - self.values.total()

    @cached_property
    def reading(self) -> CellReading:
        """The missing markers of the column, and whether it holds booleans."""
        if self._is_numeric:
            numbers = {*self._counts_by_number()} if not self.dropped_values else set()
            zero_or_one = bool(numbers) and numbers <= {0.0, 1.0}
            return CellReading(missing=number_markers(self.markers), booleans=zero_or_one)
        missing = text_markers(self.markers, self.texts)
        if not self.types and self.choice != "text":  # nothing but markers, those of numbers too
            missing = tuple(dict.fromkeys((*missing, *number_markers(self.markers))))
        return CellReading(missing, self.choice is None and hold_booleans(missing, self.texts))

    @cached_property
    def values(self) -> Counter[str]:
        """The values of a text column with their counts, each in the spelling that it counts as."""
        spelled = spellings(self.reading, ())
        counts: Counter[str] = Counter()
        for text, count in self.texts.items():
            trimmed = text.strip(BLANKS)
            value = spelled.get(trimmed, trimmed)
            if value is not None:
                counts[value] += count
        return counts

    @property
    def mean(self) -> float:
        """The mean of the finite numbers, within their extremes; NaN without any.

        That of the sample where the sum is beyond the largest float.
        """
        if not self.finite:
            return float("nan")
        if isfinite(self.sum):
            return min(max(self.sum / self.finite, self.low), self.high)
        return mean_and_deviation(self.sample, np.ones(len(self.sample)))[0]

    @property
    def std(self) -> float:
        """The population standard deviation of the finite numbers; NaN without any.

        0 where all are equal; that of the sample where the squares are beyond the largest float.
        """
        if not self.finite or self.low == self.high:
            return 0.0 if self.finite else float("nan")
        offset = self.total / self.finite
        if not isfinite(self.squares / self.finite - offset * offset):
            return mean_and_deviation(self.sample, np.ones(len(self.sample)))[1]
        if len(self.first) == self.finite:
            return _running_std(self.first)
        return sqrt(max(self.squares / self.finite - offset * offset, 0.0))

    @property
    def levels(self) -> list[list[float]]:
        """The finite numbers as a KLL sketch: an item of level ``i`` stands for ``2**i`` of them.

        Up to ``KLL_K`` numbers, all of them in the order of the data, in level 0.
        """
        if len(self.first) == self.finite:
            return [self.first]
        levels: dict[int, list[float]] = {}
        for item, weight in self.sketch:
            levels.setdefault(int(weight).bit_length() - 1, []).append(item)
        return [levels.get(i, []) for i in range(max(levels) + 1)]

    def feature(self, name: str, role: Role) -> Feature:
        """Return the bins of this column; without a value it has those of unseen texts alone."""
        inferred = self.type
        if inferred == "Unknown":
            return empty_feature(name, role, self.reading)
        if inferred == "String":
            exact = not self.dropped_values
            return text_feature(name, role, self.values, self.reading, exact)
        counts = self._counts_by_number()
        if not self.dropped_values and len(counts) <= MAX_CODES:
            return codes_feature(name, role, inferred, counts, self.reading)
        atoms = {
            value: count / self.finite
            for value, count in counts.items()
            if count >= ATOM_SHARE * self.finite
        }
        return grid_feature(
            name=name,
            role=role,
            kind=inferred,
            quantiles=np.sort(self.sample).tolist(),
            atoms=atoms,
            low=self.low,
            high=self.high,
            center=self.mean,
            scale=self.std,
            reading=self.reading,
        )

    def _counts_by_number(self) -> Counter[float]:
        """The counts by value: ``1``, ``1.0`` and ``01`` are one number.

        Of more than 10,000 values only the 1,000 most frequent ones are counted.
        """
        is_short = len(self.texts) <= 10_000
        texts = dict(self.texts if is_short else self.texts.most_common(1_000))
        read = numbers_from_text(pa.array(texts, pa.string()), True, self._as_number)
        counts: Counter[float] = Counter()
        for value, count in zip(read.values.tolist(), texts.values(), strict=True):
            if isfinite(value):
                counts[value + 0.0] += count
        return counts


def _running_std(values: Sequence[float]) -> float:
    """The population standard deviation by Welford's recurrence, value by value.

    It is equal to that of Spark to the last digit.
    """
    mean = squares = 0.0
    for n, value in enumerate(values, 1):
        offset = value - mean
        step = offset / n
        mean += step
        squares += offset * (offset - step)
    return sqrt(squares / len(values))
