"""Checks of the keys of labels and of the models' quality against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from detectors.durations import LONGEST, duration_ms
from detectors.quality.classes import class_pair
from detectors.quality.config import QualityConfig
from detectors.quality.error_detectors import error_detector_faults
from detectors.quality.problem import custom_faults
from stream.config.faults import mismatch, unknown_name
from stream.errors import ConfigFault

if TYPE_CHECKING:
    from stream.config.model import Config, LabelsConfig

SHORTEST_HORIZON: Final = "1s"
ESTIMATES: Final = {"binary": "cbpe", "multiclass": "cbpe", "regression": "dle"}
"""The estimate that fits each problem."""
STATE_IN_S3: Final = (
    "does not go with `labels`: all predictions that wait for labels would be uploaded at each"
    " commit; remove it, or give the models with `quality` a job of their own without it"
)

Faults = Iterator[ConfigFault]


def label_faults(config: Config) -> Faults:
    """Yield the faults of ``labels`` and of each model's ``quality`` that need no baseline."""
    with_quality = [name for name, model in config.models.items() if model.quality is not None]
    if config.labels is None:
        for name in with_quality:
            reason = "needs `labels`, which says where the labels come from"
            yield ConfigFault(path=f"models.{name}.quality", reason=reason)
    else:
        yield from _labels(config, config.labels)
        if not with_quality:
            reason = "no model has `quality`: give at least one, such as `quality: {problem: ...}`"
            yield ConfigFault(path="labels", reason=reason)
    for name in with_quality:
        quality = config.models[name].quality
        if quality is not None:
            yield from quality_faults(f"models.{name}.quality", quality)


def _labels(config: Config, labels: LabelsConfig) -> Faults:
    if not duration_ms(SHORTEST_HORIZON) <= duration_ms(labels.horizon) <= duration_ms(LONGEST):
        yield mismatch("labels.horizon", f"{SHORTEST_HORIZON} to {LONGEST}", labels.horizon)
    if labels.source.identity == config.source.identity:
        reason = f"is the source of the events ({config.source.identity}): labels are another log"
        yield ConfigFault(path="labels.source", reason=reason)
    if config.state.s3 is not None:
        yield ConfigFault(path="state.s3", reason=STATE_IN_S3)
    yield from _join(config, labels)


def _join(config: Config, labels: LabelsConfig) -> Faults:
    """The faults of an id that the format of the events does not read."""
    ids = [name for name in ("inference_id", "event_id") if config.format.has_id(name)]
    if labels.join is not None and labels.join not in ids:
        expected = "an id that the format reads (`format.id`, `format.inference_id`)"
        yield mismatch("labels.join", expected, labels.join)
    elif not ids:
        reason = (
            "the format reads no id by which labels find their events: set `format.inference_id`"
            " or `format.id`"
        )
        yield ConfigFault(path="format", reason=reason)


def quality_faults(path: str, quality: QualityConfig) -> Faults:
    """Yield the faults of a model's ``quality`` at this ``path``."""
    yield from _answer(path, quality)
    yield from _classes(path, quality)
    if quality.estimate not in (None, ESTIMATES[quality.problem]):
        expected = f"{ESTIMATES[quality.problem]}, which estimates a {quality.problem} problem"
        yield mismatch(f"{path}.estimate", expected, str(quality.estimate))
    elif quality.estimate == "cbpe" and not quality.probability:
        expected = "a column, from which `estimate: cbpe` is made"
        yield mismatch(f"{path}.probability", expected, "none")
    if duration_ms(quality.revise_every) <= 0:
        yield mismatch(f"{path}.revise_every", "a duration above 0", quality.revise_every)
    for fault in custom_faults(quality):
        yield ConfigFault(path=f"{path}.{fault.key}", reason=fault.message)
    for fault in error_detector_faults(quality.error_detectors, quality.problem):
        key = f"{path}.error_detectors{fault.key}"
        yield ConfigFault(path=key, reason=fault.message)


def _answer(path: str, quality: QualityConfig) -> Faults:
    """The faults of the columns that hold the answer of the model."""
    problem = quality.problem
    if not quality.prediction and problem != "binary":
        expected = f"the column with the answer, which a {problem} problem needs"
        yield mismatch(f"{path}.prediction", expected, "none")
    elif not quality.prediction and not quality.probability:
        reason = "prediction or probability is required: the column with the answer or the score"
        yield ConfigFault(path=path, reason=reason)
    if quality.probability and problem == "regression":
        reason = "has no meaning for a regression problem: remove it"
        yield ConfigFault(path=f"{path}.probability", reason=reason)
    elif quality.probability and quality.probability == quality.prediction:
        expected = "another column than that of `prediction`"
        yield mismatch(f"{path}.probability", expected, quality.probability)
    if quality.threshold != QualityConfig(problem=problem).threshold and (
        quality.prediction or problem != "binary"
    ):
        reason = (
            "has no effect: the answer is in `prediction`; remove one of the two"
            if problem == "binary"
            else f"has no meaning for a {problem} problem: remove it"
        )
        yield ConfigFault(path=f"{path}.threshold", reason=reason)


def _classes(path: str, quality: QualityConfig) -> Faults:
    """The faults of the two classes of a binary problem; a baseline knows its own."""
    if quality.problem != "binary":
        for key in ("positive", "negative"):
            if getattr(quality, key):
                reason = f"has no meaning for a {quality.problem} problem: remove it"
                yield ConfigFault(path=f"{path}.{key}", reason=reason)
        return
    positive, negative = class_pair(quality, None)
    if not negative and not quality.baseline:
        expected = f"the class opposite to {positive!r}, since there is no baseline that knows it"
        yield mismatch(f"{path}.negative", expected, "none")
    elif quality.negative and positive == negative and (quality.positive or not quality.baseline):
        expected = f"another class than the positive one, {positive!r}"
        yield mismatch(f"{path}.negative", expected, repr(quality.negative))


def quality_columns(config: Config, model: str, columns: Iterable[str]) -> Faults:
    """Yield the faults of a quality whose columns are none of the model's ``columns``."""
    quality = config.models[model].quality
    if quality is None:
        return
    known = list(columns)
    for key in ("prediction", "probability"):
        name = getattr(quality, key)
        if name and name not in known:
            yield unknown_name(f"models.{model}.quality.{key}", "column", name, known)
