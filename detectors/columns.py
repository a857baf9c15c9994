"""Columns as the profile takes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Numbers(NamedTuple):
    """A column of a numeric feature, a value a row.

    ``values`` holds the numbers, NaN where a row has none. ``slots`` is ``None`` if every row is a number (NaN and the
    infinities included); otherwise it holds one of ``MISSING``, ``BOOLEAN``, ``STRING``, ``INTEGRAL``, ``FRACTIONAL`` of
    :mod:`detectors.layout` for each row; a row that was read as NaN or infinite stands there as ``FRACTIONAL``, and the
    value tells. Where ``slots`` is ``None``, ``integral`` decides: true, all finite values were written as integers;
    false, a finite value counts as integral if it is a whole number.
    """

    values: NDArray[np.float64]
    slots: NDArray[np.uint8] | None = None
    integral: bool = False


class Texts(NamedTuple):
    """A column of a text feature, a value a row; null means missing.

    The written type of each value (boolean, integral, fractional, string) is counted from its text by the rules of the
    SageMaker contract, section 2.
    """

    values: pa.StringArray


Column = Numbers | Texts
