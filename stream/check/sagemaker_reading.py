"""Warnings about configurations that the checks of SageMaker Model Monitor do not follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from detectors.decisions.rules import Rules
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from stream.config.model import Config

UNUSED: Final = (
    "limit",
    "min_n",
    "type_match",
    "domain_match",
    "completeness_gap",
    "negative_share",
    "vanished_n",
)
"""Rules without an effect on the checks of SageMaker."""
SOURCE: Final = "rules.mode: sagemaker-compat takes its thresholds from constraints.json"


def sagemaker_warnings(config: Config, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    """Yield a line for rules without an effect on the verdicts, and for lacking sketches.

    Without the sketch of a numeric feature there is no distance of SageMaker.
    """
    default = Rules()
    unused = [key for key in UNUSED if getattr(config.rules, key) != getattr(default, key)]
    if unused:
        keys = ", ".join(f"rules.{key}" for key in unused)
        yield f"{keys}: no effect on verdicts; {SOURCE}"
    for name, baseline in baselines.items():
        own = config.models[name].features
        limited = [feature for feature, rules in own.items() if rules.limit is not None]
        if limited:
            keys = ", ".join(f"models.{name}.features.{feature}.limit" for feature in limited)
            yield f"{keys}: no effect on verdicts; {SOURCE}"
        yield from _lacking_sketches(name, baseline)


def _lacking_sketches(name: str, baseline: Baseline) -> Iterator[str]:
    numeric = [feature.name for feature in baseline.layout.features if feature.numeric]
    lacking = [feature for feature in numeric if feature not in baseline.references]
    if lacking:
        yield (
            f"models.{name}: the baseline has no sketch of"
            f" {counted(len(lacking), 'numeric feature')}, so that SageMaker's distance cannot be"
            " computed: make it anew with `driftline baseline`"
        )
