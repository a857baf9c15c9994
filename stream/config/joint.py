"""The features that a model judges together, against the pairs that its baseline counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.profiles.baseline import Baseline
from stream.config.faults import unknown_name
from stream.config.model import ModelConfig
from stream.errors import ConfigFault


def asked_pairs(model: ModelConfig) -> frozenset[str] | None:
    """The features whose pairs a model judges; ``None`` for all that its baseline counts."""
    if model.joint is None:
        return frozenset()
    return None if model.joint.features is None else frozenset(model.joint.features)


def joint_faults(
    model: ModelConfig, name: str, columns: Sequence[str], baseline: Baseline
) -> Iterator[ConfigFault]:
    """The faults of ``joint``: columns that are unknown or named twice, or not in the pairs of the
    baseline.

    ``columns`` are those of the model. A baseline that is to be learned counts what is asked.
    """
    if model.joint is None:
        return
    asked = model.joint.features or []
    path = f"models.{name}.joint"
    for column in sorted({each for each in asked if asked.count(each) > 1}):
        reason = f"column {column!r} is named more than once"
        yield ConfigFault(path=f"{path}.features", reason=reason)
    unknown = [column for column in asked if column not in columns]
    for column in unknown:
        yield unknown_name(f"{path}.features", "column", column, columns)
    if model.learned or unknown:
        return
    layout = baseline.layout
    counted = {layout.features[i].name for i in layout.joint_features}
    lacking = [column for column in asked if column not in counted]
    if lacking or not counted:
        what = ", ".join(map(repr, lacking)) or "any column"
        names = ",".join(asked) or "all"
        advice = f"make it with `driftline baseline TRAIN --out FOLDER --joint {names}`"
        reason = f"the baseline does not count {what} in pairs: {advice}"
        yield ConfigFault(path=path, reason=reason)
