"""The live check of the labels: which decode, which would find their event, and when they come."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.durations import duration_ms
from detectors.phrases import counted
from detectors.quality.classes import class_name
from stream.check.findings import (
    Finding,
    FindingLevel,
    fault_of,
    format_duration,
    format_share,
    round_up,
)
from stream.check.label_sample import EventIds, LabelSample, sampled_events, sampled_labels
from stream.check.sample import MAX_FAILED
from stream.check.setup import CheckContext
from stream.config.model import Config, LabelsConfig
from stream.errors import DriftlineError
from stream.outcomes import advice, foremost

SUBJECT: Final = "labels"
FEW_MATCHES: Final = 0.5
"""A smaller share of labels with an event is worth a remark."""
NOTHING_MATCHES: Final = (
    "Compare the ids: labels may be of another model, name the other id (`labels.join`), or be of"
    " events that are older or newer than the sample"
)
IDS: Final = ("event_id", "inference_id")


def live_label_findings(context: CheckContext) -> list[Finding]:
    """Return findings about the labels of a job; none if it has no labels.

    A source that cannot be reached is a fault; that of the events has a check of its own.
    """
    labels = context.config.labels
    if labels is None:
        return []
    try:
        sample = sampled_labels(labels, context.config.job)
    except DriftlineError as error:
        return [fault_of(f"{SUBJECT} {labels.source.identity}", error)]
    try:
        events = sampled_events(context)
    except DriftlineError:
        events = EventIds([], [], [])
    return label_findings(context.config, labels, sample, events, int(time.time() * 1000))


def label_findings(
    config: Config, labels: LabelsConfig, sample: LabelSample, events: EventIds, now_ms: int
) -> list[Finding]:
    """Return findings about a sample of labels and events, without ids and labels."""
    if not sample.read:
        message = f"no label in {labels.source.identity}: no quality is judged until they come"
        return [Finding(SUBJECT, message, "warning", "Check again when labels have arrived")]
    return [
        _rejected(sample),
        *_values(config, sample),
        *_newest(labels, sample, now_ms),
        *_matches(labels, sample, events),
    ]


def _rejected(sample: LabelSample) -> Finding:
    reasons = Counter(reject.reason for reject in sample.decoded.rejects)
    rejected = reasons.total()
    records = counted(sample.read, "sampled record")
    message = f"format: {format_share(rejected, sample.read)} of {records} rejected"
    if not rejected:
        return Finding(SUBJECT, message)
    shares = (f"{reason} {format_share(n, sample.read)}" for reason, n in reasons.most_common())
    worst = foremost(reasons)
    details = [reject.detail for reject in sample.decoded.rejects if reject.reason == worst]
    what_to_do = advice(reasons) + (f" (the last one: {details[-1]})" if details[-1] else "")
    level: FindingLevel = "fault" if rejected > MAX_FAILED * sample.read else "warning"
    return Finding(SUBJECT, f"{message}: {', '.join(shares)}", level, what_to_do)


def _values(config: Config, sample: LabelSample) -> Iterator[Finding]:
    """Yield a warning if the labels do not look like those of the problem of any model."""
    problems = {model.quality.problem for model in config.models.values() if model.quality}
    values = [
        value
        for entry in sample.decoded.values
        for value in (entry if isinstance(entry, list) else [entry])
    ]
    texts = sum(isinstance(value, (str, bool)) for value in values)
    if problems == {"regression"} and texts:
        message = f"{format_share(texts, len(values))} of the labels are no numbers"
        yield Finding(SUBJECT, message, "warning", "A regression needs numbers: see labels.format")
    classes = len(set(map(class_name, values)))
    if problems == {"binary"} and len(config.models) == 1 and classes > 2:
        message = f"{classes} different labels, where a binary problem has two"
        what_to_do = "Labels of other classes are rejected: see positive and negative"
        yield Finding(SUBJECT, message, "warning", what_to_do)


def _newest(labels: LabelsConfig, sample: LabelSample, now_ms: int) -> Iterator[Finding]:
    known = [time_ms for time_ms in sample.times_ms if time_ms >= 0]
    if not known:
        if sample.decoded.record:
            yield Finding(SUBJECT, "the labels state no time, and neither does their log")
        return
    age_ms = max(now_ms - max(known), 0)
    message = f"the newest label is of {format_duration(age_ms)} ago"
    if age_ms <= duration_ms(labels.horizon):
        yield Finding(SUBJECT, message)
        return
    what_to_do = f"That is longer than labels.horizon ({labels.horizon}): do labels still arrive?"
    yield Finding(SUBJECT, f"{message}: silent", "warning", what_to_do)


def _matches(labels: LabelsConfig, sample: LabelSample, events: EventIds) -> Iterator[Finding]:
    """Yield how many labels have an event in the sample, and how long they took."""
    ids = sample.decoded.ids
    if not ids or not events.times_ms:
        return
    known = _times_by_id(events, labels.join)
    matching = [k for k, id_ in enumerate(ids) if id_ in known]
    message = (
        f"join: {format_share(len(matching), len(ids))} of {counted(len(ids), 'sampled label')}"
        f" have their event among {counted(len(events.times_ms), 'sampled event')}"
    )
    if not matching:
        what_to_do = _reason_of_no_match(labels, sample, events, known)
        yield Finding(SUBJECT, message, "warning", what_to_do)
        return
    few = len(matching) < FEW_MATCHES * len(ids)
    remark = "; the others may be of older events" if few else ""
    yield Finding(SUBJECT, message + remark)
    delays = [
        sample.times_ms[k] - known[ids[k]]
        for k in matching
        if sample.times_ms[k] >= 0 and known[ids[k]] >= 0
    ]
    if delays:
        yield _delay(labels, np.array(delays))


def _delay(labels: LabelsConfig, delays_ms: Ints) -> Finding:
    middle, late = np.quantile(
        np.maximum(delays_ms, 0), [0.5, 0.95], method="inverted_cdf"
    ).tolist()
    message = f"delay: half of them within {format_duration(middle)}, 95 % {format_duration(late)}"
    if late <= duration_ms(labels.horizon):
        return Finding(SUBJECT, message)
    what_to_do = f"Predictions wait only {labels.horizon}: raise labels.horizon to {round_up(late)}"
    return Finding(SUBJECT, message, "warning", what_to_do)


def _times_by_id(events: EventIds, join: str | None) -> Mapping[str, int]:
    """Return the time of each event by the id that labels name."""
    pairs = zip(events.event_ids, events.inference_ids, events.times_ms, strict=True)
    known: dict[str, int] = {}
    for event_id, inference_id, time_ms in pairs:
        named = {"event_id": event_id, "inference_id": inference_id}
        id_ = named[join] if join else inference_id or event_id
        if id_:
            known.setdefault(id_, time_ms)
    return known


def _reason_of_no_match(
    labels: LabelsConfig, sample: LabelSample, events: EventIds, known: Mapping[str, int]
) -> str:
    """Return the likely reason for which no label has an event, without an id."""
    ids = sample.decoded.ids
    if not known:
        return f"No sampled event has the id {labels.join or 'that labels name'}: see `format`"
    for join in IDS:
        if join != labels.join and not _times_by_id(events, join).keys().isdisjoint(ids):
            return f"Labels name the other id: set `labels.join: {join}`"
    lengths = (_lengths(ids), _lengths(known))
    if lengths[0] != lengths[1]:
        return f"{NOTHING_MATCHES}. Ids of labels have {lengths[0]}, those of events {lengths[1]}"
    return NOTHING_MATCHES


def _lengths(ids: Iterable[str]) -> str:
    lengths = sorted(map(len, ids))
    shortest, longest = lengths[0], lengths[-1]
    return f"{shortest if shortest == longest else f'{shortest} to {longest}'} characters"
