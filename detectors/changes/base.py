"""The contract of a change detector: a series of one number a window, and whether the newest one is
a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.report import FeatureReport

MOST_VALUES = 1_000
"""Values of a series that are kept at the most; the oldest go first."""


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a change detector on a per-window series of one feature.

    ``series``: ``mean`` (told in baseline standard deviations from the baseline's mean),
    ``completeness``, or the name of a distance. The state is the series since the last alarm, at
    most 1,000 values, and is replayed for each window: what is decided follows from the values
    alone, and nothing needs to be pickled. Values that are undefined are left out.
    """

    feature: str
    """The column."""
    series: Literal[
        "mean",
        "completeness",
        "psi",
        "ks",
        "jensen_shannon",
        "hellinger",
        "wasserstein",
        "l_infinity",
    ] = "mean"
    """The number of each window: the ``mean`` (in standard deviations of the baseline, from its
    mean), the ``completeness``, or a distance.
    """

    @property
    def key(self) -> str:
        """The name of the series in the state: all detectors of one series share it, and an alarm
        of one starts it anew.
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
        """True if the last value of the series completes a change. Deterministic; the values must
        be finite.
        """
        raise NotImplementedError
