"""Warnings about configured limits below the noise floor, which have no effect there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from detectors.decisions.rules import FeatureRules
from detectors.decisions.rulings import rule
from detectors.phrases import number
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.statistics.measures import measure
from stream.config.model import Config

SIZES: Final = tuple(step * 10**power for power in range(2, 8) for step in (1, 2, 5))
"""The numbers of rows in a window that are tried: 100, 200, 500, and so on."""


class Effect(NamedTuple):
    """The limit of a feature, the number of rows from which on it decides, and the noise there.

    ``rows`` is ``None`` where the noise is above the limit in windows of any size.
    """

    limit: float
    rows: int | None
    noise: float


def limit_warnings(config: Config, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line for each configured limit that is below the noise of windows of ``min_n`` rows.

    Limits that follow from ``constraints.json`` are defaults, and are left out. The limit of the
    rules gives one line a model, about the feature that needs most rows.
    """
    for name, baseline in baselines.items():
        own = config.models[name].features
        effects = limit_effects(config, own, baseline)
        for feature, effect in effects.items():
            if feature in own and own[feature].limit is not None:
                yield _warning(f"models.{name}.features.{feature}.limit", effect)
        shared = [feature for feature in effects if own.get(feature, _NONE).limit is None]
        if config.rules.limit is not None and shared:
            worst = max(shared, key=lambda feature: _need(effects[feature]))
            yield _warning(f"rules.limit (feature {worst!r} of model {name})", effects[worst])


_NONE: Final = FeatureRules()


def limit_effects(
    config: Config, own: Mapping[str, FeatureRules], baseline: Baseline
) -> dict[str, Effect]:
    """The features whose limit does not decide in a window of ``min_n`` rows.

    Noise depends on the rows of window and baseline and on the number of judged features. It is
    taken for windows that look like the baseline.
    """
    effects: dict[str, Effect] = {}
    sizes = [config.rules.min_n, *(size for size in SIZES if size > config.rules.min_n)]
    if not baseline.profile.rows or not baseline.layout.features:
        return effects
    for size in reversed(sizes):
        measures = measure(baseline, like_the_baseline(baseline, size))
        rulings = rule(config.rules, own, baseline.constraints, measures, size)
        for feature, ruling in zip(baseline.layout.features, rulings, strict=True):
            known = effects.get(feature.name)
            if known is None and ruling.enabled and ruling.limit > ruling.asked_limit:
                above = sizes[sizes.index(size) + 1 :]
                rows = above[0] if above else None
                effects[feature.name] = Effect(ruling.asked_limit, rows, ruling.noise)
    return effects


def _need(effect: Effect) -> tuple[float, float]:
    """The rows that a limit needs, and the noise there: the larger, the worse."""
    return (np.inf if effect.rows is None else effect.rows), effect.noise


def like_the_baseline(baseline: Baseline, rows: int) -> Profile:
    """A window of that many rows with the shares of the baseline."""
    profile = baseline.profile.copy()
    factor = rows / baseline.profile.rows
    profile.counts = np.rint(profile.counts * factor).astype(np.int64)
    profile.sums = profile.sums * factor
    profile.rows = rows
    return profile


def _warning(path: str, effect: Effect) -> str:
    limit, noise = number(effect.limit, 3), number(effect.noise, 3)
    if effect.rows is None:
        return (
            f"{path}: {limit} has no effect: the noise floor is {noise} or more in windows of any"
            " size; a larger baseline lowers it"
        )
    return (
        f"{path}: {limit} has no effect in windows of fewer than about {effect.rows:,} rows, where"
        " the noise floor is higher and decides; use longer windows, or a larger baseline"
    )
