"""A change in the errors of single predictions."""

from __future__ import annotations

from typing import Literal

import msgspec

Direction = Literal["rise", "fall", "unknown"]


class ErrorChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that an error detector has found in the stream of errors.

    ``before`` and ``after`` are mean errors (for classes the share of wrong predictions) of the
    ``rows_before`` and ``rows_after`` rows on both sides of the point, among the latest rows, that
    separates them best. They are estimates: the fewer the rows after the change, the coarser.
    """

    detector: str
    """The type of the detector, such as ``adwin``."""
    index: int
    """The row of the batch at which the change was detected, from 0."""
    row: int
    """The number of rows of the stream up to this one, itself included."""
    direction: Direction
    """Whether the error has risen or fallen; ``unknown`` without a level before, or if they are
    equal.
    """
    before: float | None
    """The mean error before the change; null if no row precedes it."""
    after: float
    """The mean error since."""
    rows_before: int
    """The rows behind ``before``, since the previous change."""
    rows_after: int
    """The rows behind ``after``: the change began about that many rows ago."""
