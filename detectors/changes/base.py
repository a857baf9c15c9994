"""The contract of a change detector, which watches a series with one number per window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.report import FeatureReport
from detectors.statistics import catalogue

MAX_VALUES: Final = 1_000
"""The largest number of values that a series keeps; the oldest are dropped first."""

if TYPE_CHECKING:
    Series = str
else:
    Series = Literal[("mean", "completeness", *catalogue.DISTANCES)]
"""The name of a series: those of the distances are found at run time."""


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a change detector on a per-window series of one feature.

    A subclass adds its parameters as fields and implements :meth:`alarms`. One subclass per file;
    the name of the file, or of an entry point of ``driftline.change_detectors``, is its ``type``.

    ``series``: ``mean`` (in baseline standard deviations from the baseline's mean),
    ``completeness``, or the name of a distance. The state is the series since the end of the last
    change, at most 1,000 values, and is replayed for each window: the verdict follows from the
    values alone, and no detector is pickled. Windows in which the series has no value are left out,
    as are windows without a verdict and revisions.
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

        All detectors of one series share it; an alarm of one of them counts for all.
        """
        return f"{self.feature}/{self.series}"

    @property
    def smallest(self) -> float:
        """The smallest deviation of the series that matters: 0.02 for a mean, else 0.002.

        A completeness that was 1 in all windows has no deviation of its own.
        """
        return 0.02 if self.series == "mean" else 0.002

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
        """Return whether the last value of the series completes a change.

        ``series`` holds the values since the end of the last change, oldest first, the newest
        window last. All are finite. Must be deterministic, must not change the series, and must
        return false for an empty one. After an alarm it is not asked until the values have
        returned, and the series starts anew.
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
