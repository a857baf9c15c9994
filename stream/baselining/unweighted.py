"""Models of which no feature may signal, because none has a weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.decisions.rules import FeatureRules
from detectors.profiles.baseline import Baseline
from stream.baselining.columns import columns_by_model
from stream.config.model import Config
from stream.config.weights import rules_of_features

NO_WEIGHT: Final = "each feature has a weight of 0 or is not enabled, so that none may signal"


def unweighted_models(config: Config, baselines: Mapping[str, Baseline]) -> list[str]:
    """The models of which each feature has a weight of 0, or is not enabled.

    None where weights have no effect. A model whose columns are unknown is left out.
    """
    if not config.rules.by_evidence:
        return []
    found = []
    for name, columns in columns_by_model(config, baselines).items():
        own = rules_of_features(config.models[name])
        rules = [own.get(each, FeatureRules()) for each in (*columns.outputs, *columns.inputs)]
        if rules and not any(each.enabled and each.weight for each in rules):
            found.append(name)
    return found
