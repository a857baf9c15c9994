"""Tables fitted to the baseline that estimate quality without labels: calibration and losses."""

from __future__ import annotations

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints


class CalibrationTable(msgspec.Struct, frozen=True, kw_only=True):
    """The share of right answers by bin of the score, as isotonic regression found it.

    ``shares`` has one number for each bin. Neighbouring bins with the same share are one block:
    the share was estimated from all their baseline rows together. ``rows`` are the baseline rows
    of each bin.
    """

    shares: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def blocks(self) -> Ints:
        """The number of the block of each bin, from 0."""
        blocks: Ints = np.cumsum(np.diff(self.shares, prepend=self.shares[:1]) != 0)
        return blocks


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How often an answer with a given score is right.

    ``edges`` are increasing; bin k holds the scores in ``[edges[k - 1], edges[k])``, so there is
    one bin more than edges. ``tables`` are by class name: of a binary problem the share of the
    positive class under the name ``""``; of a multiclass problem the share of right answers, by
    predicted class, and under ``""`` that of all classes together, for classes with few rows.
    """

    edges: tuple[float, ...]
    tables: dict[str, CalibrationTable]

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.edges) + 1

    def table(self, name: str) -> CalibrationTable:
        """Return the table of a class, else that of all classes."""
        return self.tables.get(name, self.tables[""])


class LossTable(msgspec.Struct, frozen=True, kw_only=True):
    """The loss of a regression by bin of the predicted number.

    ``edges`` are as in :class:`Calibration`. For each bin: its baseline ``rows``, and the mean and
    the variance (with n - 1) of ``|error|`` and of ``error**2``.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    absolute: tuple[float, ...]
    absolute_variance: tuple[float, ...]
    squared: tuple[float, ...]
    squared_variance: tuple[float, ...]

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.edges) + 1


def bin_of(values: Floats, edges: tuple[float, ...]) -> Ints:
    """Return the bin of each value; NaN is in a bin of its own after all others.

    >>> bin_of(np.array([-9.0, 0.5, 0.7, np.nan]), (0.5, 0.6)).tolist()
    [0, 1, 2, 3]
    """
    bins: Ints = np.searchsorted(np.array(edges), values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, bins)


def quantile_edges(values: Floats, most_bins: int) -> tuple[float, ...]:
    """Return the edges of at most ``most_bins`` bins with about as many values in each.

    A value that fills several bins has one of its own. No edges for fewer than two different
    values. ``values`` are finite.

    >>> quantile_edges(np.array([0.0, 1.0, 2.0, 3.0]), 2), quantile_edges(np.zeros(9), 4)
    ((1.5,), ())
    """
    if not len(values):
        return ()
    edges = np.unique(np.quantile(values, np.arange(1, most_bins) / most_bins))
    return tuple(edges[edges > values.min()].tolist())
