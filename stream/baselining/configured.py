"""Loads the baselines that a configuration names, and checks that they fit it."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from detectors.profiles.joint_choice import counting_pairs_of
from detectors.profiles.layout import HEAD
from stream.baselining.build import FILES, empty_baseline, load_baseline
from stream.baselining.columns import columns_of
from stream.baselining.constraints_shape import unread_keys
from stream.baselining.monitor_folder import is_monitor_folder
from stream.config.consistency import baseline_faults
from stream.config.joint import asked_pairs
from stream.config.model import Config
from stream.config.segments import divided, unknown_segments
from stream.config.timing import settings_of
from stream.errors import BaselineMismatch, ConfigError, ConfigFault


def configured_baselines(config: Config) -> dict[str, Baseline]:
    """Return the baseline of each model from its folder, empty where it is to be learned.

    Models of one folder and the same segments share a baseline. It has references only where the
    job computes SageMaker's distance, and counts the pairs that the model judges. Raises
    :class:`~stream.errors.ConfigError` with all faults: a folder without a baseline, those
    of each ``constraints.json``, a baseline that does not fit the columns of its model, names and
    statistics that do not fit the baseline.
    """
    baselines = {}
    faults = []
    columns: dict[str, tuple[str, ...]] = {}
    with_segments = cache(divided)
    loaded = cache(partial(_loaded, with_references=settings_of(config).keep_values))
    for name, model in config.models.items():
        try:
            outputs = tuple(model.outputs or ())
            baseline = empty_baseline() if model.learned else loaded(model.baseline, outputs)
            named = columns_of(name, baseline, model.outputs, model.inputs)
            unknown = unknown_segments(model, name, (*named.outputs, *named.inputs))
            if unknown and not model.learned:
                faults += unknown
                continue
            baseline = with_segments(baseline, model.divided_by, named.unlearned)
        except BaselineInvalid as error:
            if error.field == "segments":
                faults.append(ConfigFault(path=f"models.{name}.segments", reason=error.reason))
                continue
            reason = f"{_expectation(Path(model.baseline))}{error}"
            faults.append(ConfigFault(path=f"models.{name}.baseline", reason=reason))
        except ConfigError as error:
            path = f"models.{name}.baseline"
            reasons = [f"{error.file}: {fault}" for fault in error.faults]
            faults += [ConfigFault(path=path, reason=reason) for reason in reasons]
        except BaselineMismatch as error:
            reason = f"the baseline's {error.field} are in neither outputs nor inputs"
            faults.append(ConfigFault(path=f"models.{name}", reason=reason))
        else:
            baselines[name] = baseline
            columns[name] = (*named.outputs, *named.inputs)
    faults += baseline_faults(config, columns, baselines)
    if faults:
        raise ConfigError(faults)
    chosen = cache(counting_pairs_of)
    asked = {name: asked_pairs(config.models[name]) for name in baselines}
    return {name: chosen(baseline, asked[name]) for name, baseline in baselines.items()}


def _loaded(folder: str, outputs: tuple[str, ...], with_references: bool) -> Baseline:
    """The baseline in a folder; the outputs are the predictions where files do not say so."""
    return load_baseline(Path(folder), outputs, with_references)


def without_counts(baseline: Baseline) -> list[str]:
    """Return the features with values of which the baseline has no distribution.

    Files of SageMaker have none of text with many values. Such a feature has no distance.
    """
    layout, profile = baseline.layout, baseline.profile
    present = profile.feature_rows - profile.missing
    return [
        feature.name
        for i, feature in enumerate(layout.features)
        if present[i] and not profile.counts[int(layout.starts[i]) + HEAD :][: feature.bins].any()
    ]


def _expectation(folder: Path) -> str:
    """The start of the message on a folder without a baseline; empty if it has a damaged one."""
    if str(folder).startswith("s3:"):
        return "fetch it with `driftline baseline s3://BUCKET/FOLDER/ --out FOLDER`; "
    return "" if (folder / FILES[2]).exists() else "expected a folder with a baseline, or `learn`; "


def without_constraints(config: Config) -> dict[str, Path]:
    """The missing ``constraints.json`` of each model whose baseline lacks that file, by its key.

    A folder of SageMaker needs none: those that follow from its statistics apply.
    """
    files = {
        f"models.{name}.baseline": Path(model.baseline) / FILES[1]
        for name, model in config.models.items()
        if not model.learned and not is_monitor_folder(Path(model.baseline))
    }
    return {key: path for key, path in files.items() if not path.exists()}


def baselines_check(config: Config) -> list[ConfigFault]:
    """Return the faults of :func:`configured_baselines`, as a check of a configuration."""
    try:
        configured_baselines(config)
    except ConfigError as error:
        return list(error.faults)
    return []


def unread_constraints(config: Config) -> dict[str, list[str]]:
    """The keys that are not read, by the path of the ``constraints.json`` of a model."""
    files = [Path(each.baseline) / FILES[1] for each in config.models.values() if not each.learned]
    return {str(path): keys for path in dict.fromkeys(files) if (keys := unread_keys(path))}
