"""Decodes a sample of records as the service would, with findings about their outcomes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.phrases import counted
from stream.check.columns import column_findings
from stream.check.findings import Finding, FindingLevel, format_duration, format_share
from stream.check.setup import CheckContext
from stream.check.traffic import traffic_findings
from stream.config.model import Config
from stream.event_time import JobSettings
from stream.events import DecodedRecords, RawBatch
from stream.outcomes import advice, foremost
from stream.readers.arrival import Arrivals, bounded_arrivals
from stream.readers.build import plan_of
from stream.readers.lateness import ahead_of_arrival

MAX_FAILED: Final = 0.5
"""A larger share of failures is a fault of the configuration; a smaller one is a warning."""


class RecordSample(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The outcomes of ``read`` records.

    ``rejects`` counts the rejected ones by reason, ``models`` the others by model. ``ahead`` events
    are dated more than the tolerance after their arrival; ``times_ms`` has the event times
    of the rest by partition, in the order of the log. ``raws`` and ``decoded`` are the records
    themselves, before and after decoding.
    """

    read: int
    rejects: Counter[str]
    ahead: int
    models: Counter[str]
    times_ms: dict[str, Ints]
    raws: Sequence[RawBatch]
    decoded: DecodedRecords

    def detail(self, reason: str) -> str:
        """The detail of the last rejected record with this reason; empty if it has none."""
        details = (reject.detail for reject in self.decoded.rejects if reject.reason == reason)
        return deque(details, 1)[0] if self.rejects[reason] else ""

    @property
    def newest_ms(self) -> dict[str, int]:
        """The highest event time of each partition that has one."""
        return {
            partition: int(times.max()) for partition, times in self.times_ms.items() if len(times)
        }


def decode(context: CheckContext, raws: Sequence[RawBatch]) -> RecordSample:
    """Decode records with the configured format and the baselines in force."""
    config = context.config
    decoding = plan_of(config, context.baselines).decoding
    decoder = config.format.open(config.identity, decoding)
    bounded, arrivals = bounded_arrivals(raws, int(time.time() * 1000))
    return sample_of(decoder.decode(bounded), bounded, arrivals, context.times)


def sample_of(
    decoded: DecodedRecords, raws: Sequence[RawBatch], arrivals: Arrivals, settings: JobSettings
) -> RecordSample:
    """Return the outcomes of decoded records."""
    has_time = decoded.time_ms >= 0
    ahead = ahead_of_arrival(decoded.time_ms, raws, {}, arrivals, settings)
    dated = has_time & ~ahead
    times: dict[str, list[Ints]] = {}
    start = 0
    for raw in raws:
        rows = slice(start, start + len(raw.values))
        times.setdefault(raw.partition, []).append(decoded.time_ms[rows][dated[rows]])
        start = rows.stop
    return RecordSample(
        read=start,
        rejects=Counter(reject.reason for reject in decoded.rejects),
        ahead=int(ahead.sum()),
        models=Counter(decoded.keys[k].model for k in decoded.model.tolist() if k >= 0),
        times_ms={partition: np.concatenate(parts) for partition, parts in times.items()},
        raws=raws,
        decoded=decoded,
    )


def sample_findings(subject: str, sample: RecordSample, context: CheckContext) -> list[Finding]:
    """Return findings about format, models, columns, clocks and traffic, without feature values."""
    if not sample.read:
        message = "no records to sample: format and time are unchecked"
        return [Finding(subject, message, "warning", "Check again when events have arrived")]
    models = list(context.config.models)
    # Where no record belongs to a model, the rejected ones are the cause: no model is missing.
    seen = [_models(subject, sample, models)] if sample.models else []
    return [
        _rejected(subject, sample, context.config),
        *_unknown_models(subject, sample, models),
        *seen,
        *column_findings(subject, sample.raws, sample.decoded, context),
        *_ahead(subject, sample, context.times.tolerance_ms),
        *traffic_findings(subject, sample.times_ms.values(), sample.models, context),
    ]


def _level(count: int, sample: RecordSample) -> FindingLevel:
    return "fault" if count > MAX_FAILED * sample.read else "warning"


def _rejected(subject: str, sample: RecordSample, config: Config) -> Finding:
    reasons = Counter(
        {reason: count for reason, count in sample.rejects.items() if reason != "unknown_model"}
    )
    rejected = sum(reasons.values())
    records = counted(sample.read, "sampled record")
    message = f"format: {format_share(rejected, sample.read)} of {records} rejected"
    if not rejected:
        return Finding(subject, message)
    message += ": " + ", ".join(
        f"{reason} {format_share(count, sample.read)}" for reason, count in reasons.most_common()
    )
    if reasons.keys() & {"time_missing", "time_absurd"}:
        message += f" (time: {config.time.path or config.format.time_path}, {config.time.unit})"
    what_to_do = advice(reasons)
    detail = sample.detail(foremost(reasons))
    if detail:
        what_to_do += f" (the last one: {detail})"
    return Finding(subject, message, _level(rejected, sample), what_to_do)


def _unknown_models(
    subject: str, sample: RecordSample, configured: Collection[str]
) -> list[Finding]:
    count = sample.rejects["unknown_model"]
    if not count:
        return []
    share = format_share(count, sample.read)
    what_to_do = (
        f"Configured are {', '.join(sorted(configured))}: add the others under models:, or correct"
        " `model` or `variant`"
    )
    message = f"models: {share} of the sample belongs to no configured model"
    if detail := sample.detail("unknown_model"):
        message += f" ({detail})"
    return [Finding(subject, message, _level(count, sample), what_to_do)]


def _models(subject: str, sample: RecordSample, configured: Collection[str]) -> Finding:
    seen = ", ".join(f"{name} {count:,}" for name, count in sample.models.most_common())
    missing = sorted(set(configured) - set(sample.models))
    message = f"models: records in the sample: {seen or 'none'}"
    if not missing:
        return Finding(subject, message)
    question = "Are they rare, or sent under another name?"
    return Finding(subject, f"{message}; none of {', '.join(missing)}", "warning", question)


def _ahead(subject: str, sample: RecordSample, tolerance_ms: int) -> list[Finding]:
    if not sample.ahead:
        return []
    message = (
        f"time: {format_share(sample.ahead, sample.read)} of the sample is dated more than"
        f" {format_duration(tolerance_ms)} (tolerance) after its arrival"
    )
    what_to_do = (
        "Such events are counted at their arrival: check time.unit and the producers' clocks"
    )
    return [Finding(subject, message, _level(sample.ahead, sample), what_to_do)]
