"""Loads the quality baselines that a configuration names, and checks that they fit it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from detectors.errors import BaselineInvalid
from detectors.quality.baseline import QualityBaseline
from detectors.quality.classes import class_name
from detectors.quality.config import QualityConfig
from detectors.quality.estimates.fitted import fitted_estimator
from stream.baselining.quality.folder import load_quality
from stream.baselining.quality.limits import limit_faults
from stream.baselining.quality.problems import metric_names
from stream.config.faults import mismatch, unknown_name
from stream.config.model import Config
from stream.errors import ConfigError, ConfigFault


def configured_quality(config: Config) -> dict[str, QualityBaseline | None]:
    """Return the quality baseline of each model that has ``quality``, ``None`` without a folder.

    Raises :class:`~stream.errors.ConfigError` with all faults: a folder without a quality baseline,
    those of each ``constraints.json``, a baseline of another problem, threshold or classes, an
    estimate that it has no table for, and those of :func:`~.limits.limit_faults`.
    """
    baselines: dict[str, QualityBaseline | None] = {}
    faults: list[ConfigFault] = []
    for name, model in config.models.items():
        if model.quality is None:
            continue
        path = f"models.{name}.quality"
        try:
            baselines[name] = _loaded(model.quality)
        except BaselineInvalid as error:
            faults.append(ConfigFault(path=f"{path}.baseline", reason=str(error)))
        except ConfigError as error:
            reasons = [f"{error.file}: {fault}" for fault in error.faults]
            faults += [ConfigFault(path=f"{path}.baseline", reason=reason) for reason in reasons]
        else:
            faults += _faults(model.quality, baselines[name], path)
    if faults:
        raise ConfigError(faults)
    return baselines


def quality_check(config: Config) -> list[ConfigFault]:
    """Return the faults of :func:`configured_quality`, as a check of a configuration."""
    try:
        configured_quality(config)
    except ConfigError as error:
        return list(error.faults)
    return []


def _loaded(quality: QualityConfig) -> QualityBaseline | None:
    return load_quality(Path(quality.baseline)) if quality.baseline else None


def _faults(
    quality: QualityConfig, baseline: QualityBaseline | None, path: str
) -> Iterator[ConfigFault]:
    yield from limit_faults(quality, baseline, metric_names(quality.problem), path)
    if baseline is None:
        if quality.estimate:
            yield mismatch(f"{path}.estimate", "a `baseline`, which it is made from", "none")
        return
    if baseline.problem != quality.problem:
        yield mismatch(f"{path}.baseline", f"one of a {quality.problem} problem", baseline.problem)
        return
    yield from _class_faults(quality, baseline, path)
    if quality.estimate:
        try:
            fitted_estimator(baseline, quality.estimate)
        except BaselineInvalid as error:
            yield ConfigFault(path=f"{path}.estimate", reason=str(error))


def _class_faults(
    quality: QualityConfig, baseline: QualityBaseline, path: str
) -> Iterator[ConfigFault]:
    if not baseline.classes or quality.problem != "binary":
        return
    for key in ("positive", "negative"):
        name = getattr(quality, key)
        if name and class_name(name) not in baseline.classes:
            yield unknown_name(f"{path}.{key}", "class", name, baseline.classes)
    if quality.positive and class_name(quality.positive) == baseline.negative:
        expected = f"the positive class of the baseline, {baseline.positive!r}"
        yield mismatch(f"{path}.positive", expected, repr(quality.positive))
    by_score = not quality.prediction and bool(baseline.label) and not baseline.prediction
    if by_score and quality.threshold != baseline.threshold:
        expected = f"that of the baseline, {baseline.threshold:g}"
        yield mismatch(f"{path}.threshold", expected, f"{quality.threshold:g}")
