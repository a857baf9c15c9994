"""The range in which each metric of a model must be: of the configuration, else of its baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import isfinite
from typing import NamedTuple

from detectors.quality.baseline import BaselineMetric, QualityBaseline
from detectors.quality.config import QualityConfig
from detectors.quality.judged import MetricRule
from detectors.quality.laws import normal_quantile
from stream.baselining.quality.build import CONFIDENCE
from stream.config.faults import mismatch, unknown_name
from stream.errors import ConfigFault


class _Range(NamedTuple):
    """The smallest and the largest value that are good enough; ``None`` is open."""

    low: float | None = None
    high: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing is too small or too large."""
        return self.low is None and self.high is None


def metric_rules(config: QualityConfig, baseline: QualityBaseline | None) -> dict[str, MetricRule]:
    """Return the rule of each metric that is judged, or whose baseline value is known.

    Judged are those in ``metrics`` and in ``limits``; without ``metrics`` also those in the
    baseline's constraints. The range of a metric is that of ``limits``; else its constraint; else,
    for one that is named in ``metrics``, the baseline's value, in the direction in which it gets
    worse.
    """
    constraints = baseline.constraints if baseline else {}
    known = baseline.metrics if baseline else {}
    judged = {*(config.metrics or constraints), *config.limits}
    names = dict.fromkeys((*known, *constraints, *config.limits, *config.metrics))
    return {name: _rule(name, config, baseline, name in judged) for name in names}


def limit_faults(
    config: QualityConfig, baseline: QualityBaseline | None, names: Collection[str], path: str
) -> Iterator[ConfigFault]:
    """Yield the faults of names and limits of metrics; ``path`` is that of the ``quality``.

    ``names`` are the metrics of the problem. Faults: custom metrics with one of these names,
    unknown metrics, ranges that are open, empty or no numbers, and metrics that are to be judged
    and have no limit.
    """
    for name in config.custom.keys() & names:
        reason = f"is the name of a metric of a {config.problem} problem: choose another one"
        yield ConfigFault(path=f"{path}.custom.{name}", reason=reason)
    valid = (*names, *config.custom)
    for name, limit in config.limits.items():
        at = f"{path}.limits.{name}"
        if name not in valid:
            yield unknown_name(at, "metric", name, valid)
        ends = [end for end in (limit.min, limit.max) if end is not None]
        if not ends:
            yield mismatch(at, "min, max or both", "neither")
        elif not all(map(isfinite, ends)):
            yield mismatch(at, "finite numbers", " and ".join(map(str, ends)))
        elif limit.min is not None and limit.max is not None and limit.min > limit.max:
            yield mismatch(at, "min not above max", f"min {limit.min:g} and max {limit.max:g}")
    for position, name in enumerate(config.metrics):
        at = f"{path}.metrics[{position}]"
        if name not in valid:
            yield unknown_name(at, "metric", name, valid)
        elif name not in config.limits and _range(name, config, baseline).is_open:
            yield ConfigFault(path=at, reason=_without_limit(name, baseline))


def _without_limit(name: str, baseline: QualityBaseline | None) -> str:
    lack = "a baseline that has no value of it" if baseline else "no baseline"
    return f"{name!r} has no limit in `limits`, and {lack}: give limits.{name} min or max"


def _rule(
    name: str, config: QualityConfig, baseline: QualityBaseline | None, judged: bool
) -> MetricRule:
    low, high = _range(name, config, baseline)
    known = baseline.metrics.get(name) if baseline else None
    value = known.value if known else None
    error = 0.0
    if known and name not in config.limits and value in (low, high):
        error = _sampling_error(known, low is not None)
    return MetricRule(name, low, high, judged, value, error)


def _sampling_error(known: BaselineMetric, below: bool) -> float:
    """The error of a baseline's value on the side on which a window would violate it.

    It is taken from the interval, so that the precision of 16 rows that are all right has one.
    """
    end = known.low if below else known.high
    if end is None or known.value is None:
        return 0.0
    return abs(known.value - end) / normal_quantile(CONFIDENCE)


def _range(name: str, config: QualityConfig, baseline: QualityBaseline | None) -> _Range:
    if name in config.limits:
        return _Range(config.limits[name].min, config.limits[name].max)
    if baseline is None:
        return _Range()
    constraint = baseline.constraints.get(name)
    if constraint is not None:
        is_low = constraint.comparison_operator == "LessThanThreshold"
        return _Range(constraint.threshold) if is_low else _Range(None, constraint.threshold)
    known = baseline.metrics.get(name)
    if known is None or name not in config.metrics:
        return _Range()
    return _Range(known.value) if known.larger_is == "better" else _Range(None, known.value)
