"""The folder of a quality baseline: writes its three files, and reads them back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.errors import BaselineInvalid
from detectors.quality.baseline import BaselineMetric, QualityBaseline
from detectors.quality.config import Problem
from detectors.quality.laws import normal_quantile
from stream.baselining.files import json_bytes, write_files
from stream.baselining.quality.build import CONFIDENCE, BuiltQuality
from stream.baselining.quality.constraints_file import RequiredQuality, load_quality_constraints
from stream.baselining.quality.exact_metrics import LESS_IS_BETTER, METRICS
from stream.baselining.quality.sagemaker_files import STATISTICS_KEYS
from stream.config.faults import mismatch
from stream.errors import ConfigError, ConfigFault

STATISTICS, CONSTRAINTS, QUALITY = "statistics.json", "constraints.json", "quality.msgpack"
ADVICE: Final = "make it with `driftline baseline FILE --quality PROBLEM --label NAME`"
SUBSAMPLE_FACTOR: Final = 2.0
"""The sampling error of n rows over the deviation of random 80 % subsamples of them.

The variance of a mean of m of n rows drawn without replacement is ``S**2 / m * (1 - m / n)``
(Cochran, Sampling Techniques, 1977, theorem 2.2): ``S**2 / (4 n)`` for 80 %, a quarter of
``S**2 / n``.
"""


def write_quality(built: BuiltQuality, folder: Path) -> None:
    """Write ``statistics.json``, ``constraints.json`` and ``quality.msgpack``.

    All are complete before the first is renamed. Raises ``OSError`` if they cannot be written.
    """
    contents = {
        STATISTICS: json_bytes(built.statistics),
        CONSTRAINTS: json_bytes(built.constraints),
        QUALITY: built.baseline.encode(),
    }
    write_files(folder, contents)


def load_quality(folder: Path) -> QualityBaseline:
    """Read the quality baseline in a folder.

    ``constraints.json`` takes precedence over the constraints in ``quality.msgpack``. A folder of
    SageMaker Model Monitor without that file has the metrics and the confusion matrix of its
    ``statistics.json``, if there is one, and no counts and tables; of two classes ``0`` and ``1``
    the latter is positive.

    Raises ``BaselineInvalid`` if there is no baseline or a damaged one, and
    :class:`~stream.errors.ConfigError` with all faults of ``constraints.json``.
    """
    path = folder / CONSTRAINTS
    if not (folder / QUALITY).exists():
        if not path.exists():
            raise BaselineInvalid(str(folder), f"neither {QUALITY} nor {CONSTRAINTS}; {ADVICE}")
        return _of_sagemaker(folder, load_quality_constraints(path, METRICS))
    baseline = _decoded(folder / QUALITY)
    if not path.exists():
        return baseline
    names: dict[Problem, Collection[str]] = {**METRICS}
    names[baseline.problem] = {*METRICS[baseline.problem], *baseline.metrics}
    required = load_quality_constraints(path, names)
    if required.problem != baseline.problem:
        fault = mismatch("", f"constraints of a {baseline.problem} problem", required.problem)
        raise ConfigError([fault], str(path))
    return baseline.constrained(required.constraints)


def quality_constraints_were_edited(folder: Path) -> bool:
    """Return whether the folder's ``constraints.json`` differs from what was written there.

    True if it cannot be used as it is; false if the folder holds no quality baseline.
    """
    try:
        written = _decoded(folder / QUALITY).constraints
        return load_quality(folder).constraints != written
    except ConfigError:
        return True
    except BaselineInvalid:
        return False


def _decoded(path: Path) -> QualityBaseline:
    try:
        return QualityBaseline.decode(path.read_bytes())
    except OSError as error:
        raise BaselineInvalid(str(path), f"{error.strerror}; {ADVICE}") from error
    except BaselineInvalid as error:
        raise BaselineInvalid(str(path), f"{error.field}: {error.reason}; {ADVICE}") from error


class _Dataset(msgspec.Struct, frozen=True):
    item_count: int = 0


def _of_sagemaker(folder: Path, required: RequiredQuality) -> QualityBaseline:
    path = folder / STATISTICS
    rows, content = _statistics(path, required.problem) if path.exists() else (0, {})
    confusion = _confusion(content)
    is_usual = required.problem == "binary" and set(confusion) == {"0", "1"}
    return QualityBaseline(
        problem=required.problem,
        classes=("0", "1") if is_usual else (),
        rows=rows,
        metrics={name: _metric(name, content.get(name)) for name in METRICS[required.problem]},
        constraints=required.constraints,
        confusion=confusion,
    )


def _statistics(path: Path, problem: Problem) -> tuple[int, Mapping[str, Any]]:
    """The rows and the metrics in ``statistics.json``."""
    key = STATISTICS_KEYS[problem]
    try:
        data = msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=dict)
        content = msgspec.convert(data[key], dict[str, Any])
        return msgspec.convert(data.get("dataset", {}), _Dataset).item_count, content
    except KeyError:
        reason = f"no key {key}, which the constraints of the folder are for"
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        reason = f"not a file of statistics ({error})"
    raise ConfigError([ConfigFault(path="", reason=reason)], str(path))


def _metric(name: str, raw: object) -> BaselineMetric:
    """One metric of ``statistics.json``; what is no number there is unknown."""
    entry = raw if isinstance(raw, Mapping) else {}
    value, deviation = (_number(entry.get(key)) for key in ("value", "standard_deviation"))
    reach = deviation and normal_quantile(CONFIDENCE) * SUBSAMPLE_FACTOR * deviation
    return BaselineMetric(
        value=value,
        low=None if reach is None or value is None else value - reach,
        high=None if reach is None or value is None else value + reach,
        standard_deviation=deviation,
        larger_is="worse" if name in LESS_IS_BETTER else "better",
    )


def _confusion(content: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    try:
        return msgspec.convert(content.get("confusion_matrix", {}), dict[str, dict[str, int]])
    except msgspec.ValidationError:
        return {}


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]
