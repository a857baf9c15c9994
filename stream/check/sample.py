"""Some records of the source, decoded as the service would, and what their outcomes mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from stream.check.findings import Finding, Level, counted, told_ms, told_share
from stream.check.setup import CheckContext
from stream.config.model import Config
from stream.events import DecodedRecords, RawBatch
from stream.outcomes import advice
from stream.readers.build import plan_of

HALF = 0.5
"""When more than this share of a sample cannot be read, it is the configuration that is wrong."""


class RecordSample(NamedTuple):
    """``read`` records: why some were rejected, how many are dated ahead (more than the tolerance
    after arrival), how many belong to each model, and by partition the event times of the others in
    the order of the log.
    """

    read: int
    rejects: Counter[str]
    ahead: int
    models: Counter[str]
    times_ms: dict[str, Ints]

    @property
    def newest_ms(self) -> dict[str, int]:
        """The highest event time of each partition that has one."""
        return {
            partition: int(times.max()) for partition, times in self.times_ms.items() if len(times)
        }


def decode(setup: CheckContext, raws: Sequence[RawBatch]) -> RecordSample:
    """The outcomes of these records with the configured format and the baselines in force."""
    config = setup.config
    decoding = plan_of(config, setup.baselines).decoding
    return sample_of(
        config.format.open(config.origin, decoding).decode(raws), raws, setup.times.tolerance_ms
    )


def sample_of(decoded: DecodedRecords, raws: Sequence[RawBatch], tolerance_ms: int) -> RecordSample:
    """The outcomes of records that were decoded already."""
    arrival = np.concatenate([np.empty(0, np.int64), *(raw.arrival_ms for raw in raws)])
    ahead = (decoded.time_ms >= 0) & (arrival >= 0) & (decoded.time_ms > arrival + tolerance_ms)
    dated = (decoded.time_ms >= 0) & ~ahead
    times: dict[str, list[Ints]] = {}
    start = 0
    for raw in raws:
        span = slice(start, start + len(raw.values))
        times.setdefault(raw.partition, []).append(decoded.time_ms[span][dated[span]])
        start = span.stop
    models = Counter(decoded.keys[k].model for k in decoded.model.tolist() if k >= 0)
    rejects = Counter(reject.reason for reject in decoded.rejects)
    return RecordSample(
        start,
        rejects,
        int(ahead.sum()),
        models,
        {name: np.concatenate(parts) for name, parts in times.items()},
    )


def sample_findings(where: str, sample: RecordSample, setup: CheckContext) -> list[Finding]:
    """What the outcomes of a sample say about format, models and clocks. Tells reasons and counts,
    never a value.
    """
    if not sample.read:
        return [
            Finding(
                where,
                "no records to sample",
                "warning",
                "Look again when events have come: format and time are not known",
            )
        ]
    models = list(setup.config.models)
    of_models = [*_unknown(where, sample, models), *_unseen(where, sample, models)]
    return [
        _rejected(where, sample, setup.config),
        *of_models,
        *_ahead(where, sample, setup.times.tolerance_ms),
    ]


def _rejected(where: str, sample: RecordSample, config: Config) -> Finding:
    reasons = Counter(
        {reason: count for reason, count in sample.rejects.items() if reason != "unknown_model"}
    )
    rejected = sum(reasons.values())
    what = (
        f"format: {told_share(rejected, sample.read)} of {counted(sample.read, 'sampled record')}"
        " rejected"
    )
    if not rejected:
        return Finding(where, what)
    what += ": " + ", ".join(
        f"{reason} {told_share(count, sample.read)}" for reason, count in reasons.most_common()
    )
    if reasons.keys() & {"time_missing", "time_absurd"}:
        what += f" (time: {config.time.path or config.format.time_path}, {config.time.unit})"
    return Finding(
        where, what, "fault" if rejected > HALF * sample.read else "warning", advice(reasons)
    )


def _unknown(where: str, sample: RecordSample, models: Collection[str]) -> list[Finding]:
    count = sample.rejects["unknown_model"]
    if not count:
        return []
    what = f"models: {told_share(count, sample.read)} of the sample belongs to no configured model"
    advice = (
        f"Configured are {', '.join(sorted(models))}: add the others under models:, or correct"
        " `model` or `variant`"
    )
    return [Finding(where, what, "fault" if count > HALF * sample.read else "warning", advice)]


def _unseen(where: str, sample: RecordSample, models: Collection[str]) -> list[Finding]:
    seen = ", ".join(f"{name} {count:,}" for name, count in sample.models.most_common())
    missing = sorted(set(models) - set(sample.models))
    what = f"models: records in the sample: {seen or 'none'}"
    if not missing:
        return [Finding(where, what)]
    return [
        Finding(
            where,
            f"{what}; none of {', '.join(missing)}",
            "warning",
            "Rare, or sent under another name?",
        )
    ]


def _ahead(where: str, sample: RecordSample, tolerance_ms: int) -> list[Finding]:
    if not sample.ahead:
        return []
    share = told_share(sample.ahead, sample.read)
    what = (
        f"time: {share} of the sample is dated more than {told_ms(tolerance_ms)} (tolerance) after"
        " its arrival"
    )
    level: Level = "fault" if sample.ahead > HALF * sample.read else "warning"
    return [
        Finding(
            where,
            what,
            level,
            "They count at their arrival: look at time.unit and at the producers' clocks",
        )
    ]
