"""What a running service continues with after its configuration or a baseline was edited. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.profiles.baseline import Baseline
from detectors.quality.baseline import QualityBaseline
from stream.baselining.configured import configured_baselines
from stream.baselining.quality.configured import configured_quality
from stream.config.faults import key_path
from stream.config.model import Config, ModelConfig
from stream.errors import ReloadRefused
from stream.service.reconcile import judge_of

LIMITS_OF_QUALITY: Final = ("limits", "metrics", "judge_at", "revise_every")
"""The keys of a model's quality that are limits."""
NOT_A_LIMIT: Final = (
    "only limits are applied to a running service (rules, features and change_detectors of models,"
    " constraints.json): SIGHUP or a restart applies the rest"
)
ANOTHER_BASELINE: Final = (
    "it fixes the bins of the open windows: restart with --accept-change, or restore its files"
)
GONE: Final = "no longer exists: the constraints that it held stay in force"


class Loaded(msgspec.Struct, frozen=True):
    """A configuration with the baselines that it names, as they were read."""

    config: Config
    baselines: Mapping[str, Baseline]
    quality: Mapping[str, QualityBaseline | None]


def loaded(config: Config) -> Loaded:
    """Read the baselines of a configuration; raises the errors of those that cannot be used."""
    return Loaded(config, configured_baselines(config), configured_quality(config))


def require_limits_alone(before: Loaded, after: Loaded) -> None:
    """Raise :class:`~stream.errors.ReloadRefused` for a change of anything but limits, by name."""
    keys = list(_different("", _without_limits(before.config), _without_limits(after.config)))
    if keys:
        raise ReloadRefused(keys, NOT_A_LIMIT)
    models = [
        f"models.{name}.baseline"
        for name, baseline in after.baselines.items()
        if baseline.fingerprint != before.baselines[name].fingerprint
    ]
    if models:
        raise ReloadRefused(models, ANOTHER_BASELINE)


def same_limits(before: Loaded, after: Loaded) -> bool:
    """Return whether both judge alike; then there is nothing to apply."""
    return bool(_limits(before) == _limits(after))


def constraints_files(config: Config) -> list[Path]:
    """The ``constraints.json`` of each model that exists."""
    folders = [Path(each.baseline) for each in config.models.values() if not each.learned]
    return [path for folder in folders if (path := folder / "constraints.json").exists()]


def _limits(job: Loaded) -> Any:
    judge = judge_of(job.config)
    qualities = {name: model.quality for name, model in job.config.models.items()}
    return (
        {name: judge.limits(name, base.constraints) for name, base in job.baselines.items()},
        {
            name: [getattr(quality, key) for key in LIMITS_OF_QUALITY]
            for name, quality in qualities.items()
            if quality is not None
        },
        {name: base and base.encode() for name, base in job.quality.items()},
    )


def _without_limits(config: Config) -> Any:
    models = {name: _model_without_limits(model) for name, model in config.models.items()}
    rules = type(config.rules)(mode=config.rules.mode)
    return msgspec.to_builtins(msgspec.structs.replace(config, models=models, rules=rules))


def _model_without_limits(model: ModelConfig) -> ModelConfig:
    quality = model.quality
    if quality is not None:
        defaults = type(quality)(problem=quality.problem)
        kept = {key: getattr(defaults, key) for key in LIMITS_OF_QUALITY}
        quality = msgspec.structs.replace(quality, **kept)
    return msgspec.structs.replace(
        model, features={}, weights={}, change_detectors=[], quality=quality
    )


def _different(path: str, one: Any, two: Any) -> Iterator[str]:
    """The paths at which two plain data differ, without the values."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in dict.fromkeys((*one, *two)):
            if (key in one) != (key in two):
                yield key_path(path, key)
            else:
                yield from _different(key_path(path, key), one[key], two[key])
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for k, (left, right) in enumerate(zip(one, two, strict=True)):
            yield from _different(f"{path}[{k}]", left, right)
    elif one != two:
        yield path
