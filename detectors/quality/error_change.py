"""A change in the errors of single predictions."""

from __future__ import annotations

import msgspec


class ErrorChange(msgspec.Struct, frozen=True):
    """A change that a detector found in the errors of single predictions.

    ``before`` and ``after`` are mean errors (for classes the share of wrong predictions) of the
    ``rows_before`` and ``rows_after`` rows on both sides of the point, among the latest rows, that
    separates them best. They are estimates: the fewer the rows after the change, the coarser.
    """

    detector: str
    """The type of the detector, such as ``adwin``."""
    rising: bool
    """Whether the error rose; false if no level before the change is known."""
    rows: int
    """The labelled rows that the detector has seen since its previous change."""
    before: float | None = None
    """The mean error before the change; null if it is not known."""
    after: float | None = None
    """The mean error since the change; null if it is not known."""
    rows_before: int = 0
    """The rows behind ``before``."""
    rows_after: int = 0
    """The rows behind ``after``: the change began about that many rows ago."""
    row: int = 0
    """All rows of the stream up to the one at which the change was detected, itself included."""
    index: int = 0
    """The position of that row in the batch, from 0."""
