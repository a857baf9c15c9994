"""Live check of captures in S3: permissions, objects, the queue of notices, and newest records."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec.structs import replace

from detectors.phrases import counted
from stream.check.disorder import disorder, disorder_finding
from stream.check.findings import Finding, fault_of, format_duration
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.events import RawBatch
from stream.sources.s3.client import ObjectInfo, S3Client, S3Error, unavailable
from stream.sources.s3.content import ObjectLines
from stream.sources.s3.keys import HOUR_MS, hour_folder, is_read, partition_of
from stream.sources.s3.manifests import Manifests
from stream.sources.s3.source import S3

SAMPLED: Final = 200
"""The number of records that are read of each variant or folder."""
FOLDERS: Final = 20
"""The largest number of variants and folders of which records are read."""
PAGES: Final = 50
"""The largest number of pages that are listed."""
BACK_HOURS: Final = 48
"""The number of hours before now that are listed of each variant with more than one page."""


def live_check(source: S3, context: CheckContext) -> list[Finding]:
    """Return findings about the bucket; raises ``SourceUnavailable`` as ``driftline run`` does."""
    s3 = source.client()
    try:
        manifests = Manifests(s3) if source.manifests else None
        newest, more = _newest_objects(s3, manifests is not None)
        read = newest if manifests is None else _last_named(manifests, newest)
        raws = [_wrapped(raw, source) for raw in newest_records(s3, read)]
    except S3Error as failure:
        raise unavailable(s3.label, failure) from failure
    finally:
        s3.close()
    sample = decode(context, raws)
    measured = disorder(list(sample.times_ms.values()), context.times)
    return [
        _objects(s3.label, newest, more, source.follow),
        *_queue(source),
        *sample_findings(s3.label, sample, context),
        disorder_finding(s3.label, measured, context.times, source.found_after_ms),
    ]


def newest_records(
    s3: S3Client, newest: Iterable[ObjectInfo], count: int = SAMPLED
) -> list[RawBatch]:
    """Return the last records of objects, ``count`` of each. Raises :class:`S3Error`."""
    return [_records(s3, info, count) for info in newest]


def _last_named(manifests: Manifests, newest: list[ObjectInfo]) -> list[ObjectInfo]:
    """Return the last object that each manifest names."""
    return [info for manifest in newest for info in manifests.objects_of(manifest)[-1:]]


def _wrapped(raw: RawBatch, source: S3) -> RawBatch:
    """Return the records in lines of a batch transform job; of other captures as they are."""
    if source.transform is None:
        return raw
    starts = [at[1] for at in raw.positions if isinstance(at, tuple)]
    lines = [value for value in raw.values if value is not None]
    chosen = source.transform.records(raw.origin, starts, lines)
    return replace(
        raw,
        positions=[(raw.origin, start) for start in chosen.starts],
        values=list(chosen.values),
        arrival_ms=raw.arrival_ms[: len(chosen.values)],
    )


def _newest_objects(s3: S3Client, manifests: bool = False) -> tuple[list[ObjectInfo], bool]:
    """Return the newest object of each variant and folder, and whether some are left out.

    With ``manifests`` all objects in folders of hours count, else those that hold records.
    Hours before the last two days are skipped, if the variant has newer ones.
    """
    newest: dict[str, ObjectInfo] = {}
    skipped: set[str] = set()
    since_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS - BACK_HOURS * HOUR_MS
    after, more, pages = "", True, 0
    while more and pages < PAGES:
        page = s3.page(after)
        more, pages = page.more, pages + 1
        for info in page.objects:
            after = info.key
            dated = partition_of(info.key).hour_ms is not None
            if (dated and info.size > 0) if manifests else is_read(info.key):
                newest[partition_of(info.key).root] = info
        last = partition_of(after) if after else None
        if more and last and last.hour_ms is not None and last.root not in skipped:
            skipped.add(last.root)
            after = max(after, hour_folder(last.root, since_ms))
    by_age = sorted(newest.values(), key=lambda info: -info.modified_ms)
    return by_age[:FOLDERS], more or len(by_age) > FOLDERS


def _records(s3: S3Client, info: ObjectInfo, count: int) -> RawBatch:
    chunk = s3.read(info.key, 0, None, "")
    lines = ObjectLines(0)
    lines.add(chunk.data, last=True)
    starts: list[int] = []
    values: list[bytes] = []
    while (taken := lines.take(count)).values:
        starts = [*starts, *taken.starts][-count:]
        values = [*values, *taken.values][-count:]
    return RawBatch(
        partition=partition_of(info.key).root or "/",
        origin=info.key,
        first=(info.key, 0),
        next=(info.key, lines.offset),
        positions=[(info.key, start) for start in starts],
        values=list(values),
        arrival_ms=np.full(len(values), chunk.modified_ms, np.int64),
        arrival_measured=True,
    )


def _objects(subject: str, newest: list[ObjectInfo], more: bool, follow: bool) -> Finding:
    if not newest and follow:
        return Finding(subject, "no object yet")
    if not newest:
        advice = "Nothing would be read: set follow, or correct source.bucket and source.prefix"
        return Finding(subject, "no object", "fault", advice)
    kinds: dict[bool, int] = defaultdict(int)
    for info in newest:
        kinds[partition_of(info.key).hour_ms is not None] += 1
    parts = [counted(kinds[True], "variant")] if kinds[True] else []
    parts += [counted(kinds[False], "folder") + " without dates"] if kinds[False] else []
    age_ms = time.time() * 1000 - newest[0].modified_ms
    age = format_duration(max(age_ms, 0))
    among = "at least " if more else ""
    return Finding(subject, f"{among}{' and '.join(parts)}, the newest object is {age} old")


def _queue(source: S3) -> list[Finding]:
    """Return a finding on the queue of notices; a message that is received comes again."""
    queue = source.queue()
    if queue is None:
        return []
    try:
        queue.peek()
    except S3Error as failure:
        return [fault_of(f"queue {queue.url}", unavailable(queue.url, failure))]
    finally:
        queue.close()
    message = "messages can be received; sqs:DeleteMessage cannot be checked without using it"
    return [Finding(f"queue {queue.url}", message)]
