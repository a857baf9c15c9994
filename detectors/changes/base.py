"""The contract of a change detector on a series of one number a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.report import FeatureReport
from detectors.statistics import catalogue

MAX_VALUES: Final = 1_000
"""Most values of a series that are kept; the oldest are dropped first."""

if TYPE_CHECKING:
    Series = str
else:
    Series = Literal[("mean", "completeness", *catalogue.DISTANCES)]
"""What a detector may watch: the names of the distances are known when this runs."""


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a change detector on a per-window series of one feature.

    ``series``: ``mean`` (in baseline standard deviations from the baseline's mean),
    ``completeness``, or the name of a distance. The state is the series since the last alarm, at
    most 1,000 values, and is replayed for each window: the verdict follows from the values alone,
    and no detector is pickled. Windows in which the series has no value are left out.
    """

    feature: str
    """The column."""
    series: Series = "mean"
    """The number of each window: the ``mean`` (in standard deviations of the baseline, from its
    mean), the ``completeness``, or a distance.
    """

    @property
    def key(self) -> str:
        """The name of the series in the state.

        All detectors of one series share it; an alarm of one of them restarts it.
        """
        return f"{self.feature}/{self.series}"

    def value(self, report: FeatureReport, baseline: Baseline) -> float | None:
        """The series' value in a window; ``None`` where it has none."""
        if self.series == "completeness":
            return report.completeness
        if self.series != "mean":
            return report.distances.get(self.series)
        feature = baseline.layout.features[baseline.layout.index[self.feature]]
        if report.mean is None or feature.scale <= 0:
            return None
        return (report.mean - feature.center) / feature.scale

    def alarms(self, series: Sequence[float]) -> bool:
        """Whether the last value of the series completes a change.

        Deterministic. The values are finite; an empty series is no change.
        """
        raise NotImplementedError


def series_fits(series: str, numeric: bool) -> bool:
    """Whether a series is defined on numeric features, or on text features.

    >>> series_fits("mean", numeric=False), series_fits("completeness", numeric=False)
    (False, True)
    """
    if series in catalogue.DISTANCES:
        return catalogue.fits(series, numeric)
    return numeric or series != "mean"
