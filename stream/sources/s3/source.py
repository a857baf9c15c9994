"""The configuration of a source that reads the objects of a bucket in Amazon S3.

A partition is an hour of a variant, ``{endpoint}/{variant}/yyyy/mm/dd/hh``, as data capture lays
out its objects, or a folder without a date. A position is the key of an object and the offset of
the next line in its uncompressed content; behind the key it remembers which objects of the
partition were read, and their ETags (:mod:`stream.sources.s3.position`).

The hours of a variant are read one after the other; the latest ones side by side, since objects
may still appear in them. An hour ends once a listing that began ``relist`` (at least two hours)
after it has nothing new, and a later hour is known.
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from sinks.aws.client import url_faults
from stream.errors import SourceUnavailable
from stream.sources.base import Reading, Source
from stream.sources.s3.catalog import Catalog
from stream.sources.s3.client import S3Client, call_with_retries
from stream.sources.s3.fetching import THREADS, Fetcher
from stream.sources.s3.manifests import Manifests
from stream.sources.s3.queue import NoticeQueue
from stream.sources.s3.reading import S3Reading
from stream.sources.s3.transform_lines import Side, TransformLines
from stream.sources.s3.watch import Watch

BUCKET: Final = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
QUEUE_URL: Final = r"https?://[^/@\s]+/.*[^/\s]+"
HORIZON_MS: Final = 7_200_000
"""The shortest time after its hour for which an object may appear."""
TRANSFORM_HORIZON_MS: Final = 86_400_000
"""The shortest time after the hour in which a transform job started for which its manifest may
appear."""
RELIST: Final = "1m"
RELIST_WITH_NOTICES: Final = "2h"
CAPTURE_DELAY_MS: Final = 120_000
"""The usual delay of data capture between a request and its object."""
NOTICE_AGE_S: Final = 30.0
"""The age up to which the latest answer of the queue proves that a partition is at its end."""


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The queue that takes the bucket's notices of new objects."""

    sqs_url: str = ""
    """The URL of an SQS queue to which the bucket sends ``s3:ObjectCreated:*``, itself, through
    SNS, or through EventBridge. No other consumer may read from it.
    """


class S3(Source, frozen=True, tag="s3"):
    """Reads the JSON lines below ``prefix`` in ``bucket``: ``*.jsonl`` and ``*.jsonl.gz``.

    The layout of data capture, ``{endpoint}/{variant}/yyyy/mm/dd/hh/{file}``, gives a partition for
    each hour of a variant; a folder without a date is one partition. The bucket is listed once in
    ``relist``; with ``notices`` new objects are read seconds after they appear.

    ``region`` and ``endpoint_url`` may be left to the AWS configuration; credentials always are. At
    the start a service that does not respond is retried for ``give_up_after``; a missing bucket and
    a missing permission end the program immediately. ``arrival_ms`` is the time at which S3 took
    the object.

    >>> for fault in S3(bucket="Captures").check():
    ...     print(fault)
    bucket: 'Captures' is not the name of a bucket: lower-case letters, digits, dots and dashes
    """

    record_fields: ClassVar = frozenset({"file"})
    dates_records: ClassVar = False
    default_grace: ClassVar = "5m"

    bucket: str = ""
    """The name of the bucket."""
    prefix: str = ""
    """The folder below which objects are read; empty: the whole bucket."""
    follow: bool = False
    """Whether objects that appear later are read too; otherwise the job ends with the objects that
    a listing finds.
    """
    notices: Notices | None = None
    """The queue that takes notices of new objects, so that they are read within seconds."""
    relist: Duration | None = None
    """The time between two listings of the prefix; 1m by default, 2h with ``notices``. Without
    notices it is the delay with which new objects are found. It is also the time after its hour in
    which an object may appear late, at least 2h.
    """
    manifests: Side | None = None
    """For captures of batch transform, the side that is read: the objects named by the manifests
    below ``input/`` or ``output/`` of ``prefix``, with a CSV row or a JSON document per line.
    """
    header: bool = False
    """With ``manifests``: whether the first line of each object names its columns, and is no
    record.
    """
    region: str = ""
    """The AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a job without a state starts."""
    start_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The time from which on a job without a state reads, instead of ``start``."""
    give_up_after: Duration = "30s"
    """How long the start waits for S3; in later outages the service keeps retrying."""

    @property
    def folder(self) -> str:
        """The prefix of all keys, which ends with a slash unless it is empty."""
        folder = self.prefix and f"{self.prefix.rstrip('/')}/"
        return f"{folder}{self.manifests}/" if self.manifests else folder

    @property
    def transform(self) -> TransformLines | None:
        """What makes records of the lines of batch transform jobs, if these are read."""
        return TransformLines(self.manifests, self.header) if self.manifests else None

    @property
    def relist_ms(self) -> int:
        """``relist``, or its default."""
        default = RELIST_WITH_NOTICES if self.notices else RELIST
        return duration_ms(self.relist or default)

    @property
    def found_after_ms(self) -> int:
        """Without notices, the time between a request and the listing that finds its object."""
        follows_by_listing = self.follow and self.notices is None
        return self.relist_ms + CAPTURE_DELAY_MS if follows_by_listing else 0

    @property
    def identity(self) -> str:
        """The bucket and the prefix."""
        return f"s3 {self.bucket}/{self.folder}"

    def check(self) -> list[Fault]:
        """Check names, start and addresses."""
        faults = []
        if not self.bucket:
            faults.append(Fault("bucket", "the name of a bucket is required"))
        elif not re.fullmatch(BUCKET, self.bucket):
            allowed = "lower-case letters, digits, dots and dashes"
            faults.append(
                Fault("bucket", f"{self.bucket!r} is not the name of a bucket: {allowed}")
            )
        if self.prefix.startswith("/"):
            faults.append(Fault("prefix", "keys do not begin with a slash: remove it"))
        elif "://" in self.prefix:
            faults.append(Fault("prefix", "is a folder in the bucket, not an address"))
        if self.start_at is not None and self.start == "latest":
            faults.append(Fault("start_at", "contradicts `start: latest`; remove one of them"))
        if self.relist_ms <= 0:
            faults.append(Fault("relist", "a duration above 0 is required"))
        if self.header and self.manifests is None:
            faults.append(Fault("header", "has no use without `manifests`: see format.header"))
        if self.notices is not None:
            faults += self._notices_faults(self.notices)
        return faults + url_faults(self.endpoint_url)

    def _notices_faults(self, notices: Notices) -> list[Fault]:
        if not self.follow:
            return [Fault("notices", "have no use without `follow: true`")]
        if self.manifests is not None:
            return [Fault("notices", "name no manifests: remove them; `relist` finds manifests")]
        if not re.fullmatch(QUEUE_URL, notices.sqs_url):
            message = f"{notices.sqs_url!r} is not the URL of an SQS queue"
            return [Fault("notices", message)]
        return []

    def client(self) -> S3Client:
        """Return a client for the bucket. Raises ``SourceUnavailable``."""
        return S3Client(self.bucket, self.folder, self.region, self.endpoint_url, THREADS)

    def queue(self) -> NoticeQueue | None:
        """Return the queue of notices, if there is one. Raises ``SourceUnavailable``."""
        if self.notices is None:
            return None
        url = self.notices.sqs_url
        return NoticeQueue(url, self.bucket, self.folder, self.region, self.endpoint_url)

    def open(self, job: str) -> Reading:
        """Ask for one key, which finds a missing bucket or permission.

        Raises ``SourceUnavailable`` with the causes; also if a bounded source has no object.
        """
        s3 = self.client()
        try:
            give_up_s = duration_ms(self.give_up_after) / 1000
            page = call_with_retries(s3, give_up_s, lambda: s3.page("", 1))
            if not page.objects and not self.follow:
                advice = (
                    "Correct the bucket or the prefix; with `source.follow` a job waits for objects"
                )
                raise SourceUnavailable(s3.label, ["there is no object below the prefix"], advice)
            queue = self.queue()
        except BaseException:
            s3.close()
            raise
        latest = self.start == "latest"
        since_ms = int(time.time() * 1000) if latest else 0
        if self.start_at is not None:
            since_ms = int(self.start_at.timestamp() * 1000)
        shortest_ms = TRANSFORM_HORIZON_MS if self.manifests else HORIZON_MS
        catalog = Catalog(max(self.relist_ms, shortest_ms), since_ms, latest, self.follow)
        manifests = Manifests(s3) if self.manifests else None
        watch = Watch(s3, catalog, queue, self.relist_ms / 1000, manifests)
        max_age_s = NOTICE_AGE_S if queue else self.relist_ms / 1000 * 1.5 + 5
        return S3Reading(watch, Fetcher(s3, catalog.changed), max_age_s, self.transform)
