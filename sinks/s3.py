"""Sink ``s3``: puts reports into a bucket, and the files that SageMaker Model Monitor leaves."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from threading import Event
from typing import Any, ClassVar, Final, Literal, NamedTuple

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from sinks.aws.client import call, client, url_faults
from sinks.aws.monitor_files import run_files, run_folder
from sinks.aws.object_names import LONGEST_PREFIX, bucket_faults, digest, folder, part, utc
from sinks.aws.pace import Pace
from sinks.base import ConfiguredNames, Delivery, Published, Sink, line_of
from sinks.errors import SinkRejected, SinkRetry

OWN: Final = "driftline/"
"""The folder of the lines below the prefix."""
KINDS: Final[dict[type[Published], str]] = {
    WindowReport: "windows",
    QualityReport: "quality",
    ScheduleReport: "executions",
    Signal: "signals",
}
"""The folder of each type of item."""
PUTS_A_MINUTE: Final = 10
AT_ONCE: Final = 30
"""Deliveries that do not wait after a pause."""
MANY: Final = 100
"""From this number of items on, a delivery does not wait: few objects hold much."""


class S3(Sink, frozen=True, tag="s3"):
    """Puts reports and signals as compressed JSON lines, and each run's files, into ``bucket``.

    ``layout: sagemaker`` puts for each period of ``schedule`` what a run of SageMaker Model Monitor
    leaves, under ``prefix/endpoint/schedule_name/yyyy/mm/dd/hh/`` (UTC, the hour in which the
    period ends): ``statistics.json``, ``constraints.json`` (suggested from the period),
    ``constraint_violations.json``, and beside them ``driftline-report.json``. A variant other than
    ``AllTraffic`` is a folder below the schedule's. A period without rows has only the report. The
    first two files hold values of features: that is what they are for.

    In both layouts all items are lines under
    ``prefix/driftline/KIND/job=JOB/day=YYYY-MM-DD/*.jsonl.gz``, with the kinds ``windows``,
    ``executions``, ``quality`` and ``signals``: a table for Athena each, by the day (UTC) of the
    window's end. What waits goes into one object a kind and day; deliveries of fewer than 100 items
    are at most ten a minute.

    A repeat, or a revision with late events, puts a run's files again, in place of the former ones;
    of lines, readers keep one for each ``id``. While S3 cannot be reached or refuses (throttling,
    credentials, permissions, no such bucket), everything waits and nothing is lost. Needs the
    permission ``s3:PutObject`` below the prefix, and ``kms:GenerateDataKey`` for ``kms_key_id``.
    With ``s3:ListBucket`` a job that lost its state recognises its earlier reports.
    """

    takes: ClassVar = (WindowReport, Signal, QualityReport, ScheduleReport)

    bucket: str
    """The bucket, which must exist."""
    prefix: str = ""
    """The folder in the bucket below which everything is put."""
    layout: Literal["driftline", "sagemaker"] = "driftline"
    """``sagemaker`` adds the files of SageMaker Model Monitor, which needs ``schedule``."""
    schedule: Duration | None = None
    """The length of the periods that are reported as a whole, such as ``1h``; default: none."""
    endpoint: str = ""
    """The folder of the endpoint; empty: the model's name."""
    schedule_name: str = ""
    """The folder of the schedule; empty: the job's name."""
    lines: bool = True
    """Whether all items are also put as lines."""
    kms_key_id: str = ""
    """The KMS key (id, ARN or alias) that encrypts each object; empty: as the bucket does."""
    region: str = ""
    """The bucket's AWS region; empty: that of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an S3-compatible service; empty: AWS."""

    def check(self) -> list[Fault]:
        """Check the names, the address, and that no key is without effect."""
        faults = bucket_faults(self.bucket)
        if len(self.prefix.encode(errors="replace")) > LONGEST_PREFIX:
            faults.append(Fault("prefix", f"at most {LONGEST_PREFIX} bytes are possible"))
        return [*faults, *self._schedule_faults(), *url_faults(self.endpoint_url)]

    def _schedule_faults(self) -> Iterator[Fault]:
        if self.schedule is not None and (
            duration_ms(self.schedule) <= 0 or duration_ms(self.schedule) % 1000
        ):
            yield Fault("schedule", f"expected a whole number of seconds, found {self.schedule}")
        if self.layout == "sagemaker":
            if self.schedule is None:
                yield Fault("schedule", "`layout: sagemaker` needs a schedule, such as 1h")
        else:
            for key in ("endpoint", "schedule_name"):
                if getattr(self, key):
                    yield Fault(key, "has an effect only with `layout: sagemaker`")
            if not self.lines:
                yield Fault("lines", "false would put nothing, without `layout: sagemaker`")

    def replaced_names(self, names: ConfiguredNames) -> list[tuple[str, str]]:
        """Return the names that no folder of S3 should have, and the names that stand for them."""
        used = [names.job] if self.lines or not self.schedule_name else []
        if self.layout == "sagemaker":
            used += [self.endpoint] if self.endpoint else names.models
            used += [name for name in (self.schedule_name, names.variant) if name]
        return [(name, part(name)) for name in dict.fromkeys(used) if name != part(name)]

    def destinations(self) -> list[str]:
        """Return the folders that only one sink may put into."""
        place = f"s3://{self.bucket}/{folder(self.prefix)}"
        endpoint, schedule = self.endpoint or "MODEL", self.schedule_name or "JOB"
        runs = [f"{place}{endpoint}/{schedule}/"] if self.layout == "sagemaker" else []
        return [*runs, *([f"{place}{OWN}"] if self.lines else [])]

    def schedules_ms(self) -> tuple[int, ...]:
        """Return the schedule, if there is one."""
        return () if self.schedule is None else (duration_ms(self.schedule),)

    def has_reports_of(self, job: str) -> bool:
        """Return whether there are lines of this job; false if the bucket may not be listed."""
        if not self.lines:
            return False
        aws = client("s3", self.region, self.endpoint_url)
        below = [f"{kind}/job={part(job)}/" for kind in KINDS.values()]
        try:
            return any(self._has_objects(aws, folder_of_job) for folder_of_job in below)
        except (SinkRetry, SinkRejected):
            return False
        finally:
            aws.close()

    def _has_objects(self, aws: Any, below: str) -> bool:
        prefix = f"{folder(self.prefix)}{OWN}{below}"
        listing = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": 1}
        return bool(call(aws.list_objects_v2, "KeyCount", 0, listing)["KeyCount"])

    def open(self, job: str) -> Delivery:
        """Create the client; nothing is sent."""
        return S3Delivery(self, job, client("s3", self.region, self.endpoint_url))


class LinesObject(NamedTuple):
    """Items that become one object, and the part of its key below the prefix."""

    key: str
    items: list[Published]

    def body(self) -> bytes:
        """Return the compressed lines; the same items always give the same bytes."""
        lines = b"".join(msgspec.json.encode(line_of(item)) + b"\n" for item in self.items)
        return gzip.compress(lines, compresslevel=6, mtime=0)


class S3Delivery(Delivery):
    """The running half; ``aws`` is an S3 client.

    While a delivery fails, the ids of what was put are remembered, so that a retry puts the rest.
    """

    def __init__(self, sink: S3, job: str, aws: Any, pace: Pace | None = None) -> None:
        self._sink = sink
        self._job = job
        self._aws = aws
        self._pace = pace or Pace(PUTS_A_MINUTE, AT_ONCE)
        self._closed = Event()
        self._files_of: set[str] = set()
        """The reports whose files were put."""
        self._lines_of: set[str] = set()
        """The items whose lines were put."""

    def deliver(self, items: Sequence[Published]) -> None:
        """Put the files of each run, and then the lines of all items."""
        wanted = [item for item in items if self._wants(item)]
        if self._sink.layout == "sagemaker":
            for item in wanted:
                if isinstance(item, ScheduleReport) and item.id not in self._files_of:
                    self._put_run(item)
        left = [item for item in wanted if item.id not in self._lines_of]
        if self._sink.lines and left:
            self._put_lines(left)
        self._files_of.clear()
        self._lines_of.clear()

    def close(self) -> None:
        """End a wait, and close the client's connections."""
        self._closed.set()
        self._aws.close()

    def _wants(self, item: Published) -> bool:
        """Return whether an item is for this sink: of periods only those of its schedule."""
        return not isinstance(item, ScheduleReport) or (
            item.schedule_ms in self._sink.schedules_ms()
        )

    def _put_run(self, report: ScheduleReport) -> None:
        endpoint = self._sink.endpoint or report.model
        where = run_folder(report, endpoint, self._sink.schedule_name or self._job)
        for name, content in run_files(report).items():
            self._put(where + name, content, "application/json")
        self._files_of.add(report.id)

    def _put_lines(self, items: Sequence[Published]) -> None:
        """Put the lines, an object for each kind and day."""
        if len(items) < MANY and self._closed.wait(self._pace.wait_s()):
            raise SinkRetry("stopped while waiting")
        for lines in objects(items, part(self._job)):
            self._put(f"{OWN}{lines.key}", lines.body(), "application/gzip")
            self._lines_of.update(_ids(lines.items))

    def _put(self, key: str, content: bytes, content_type: str) -> None:
        """Put one object; every error is transient, as the set-up may be repaired meanwhile."""
        arguments = {
            "Bucket": self._sink.bucket,
            "Key": folder(self._sink.prefix) + key,
            "Body": content,
            "ContentType": content_type,
        }
        if self._sink.kms_key_id:
            arguments |= {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": self._sink.kms_key_id,
            }
        try:
            call(self._aws.put_object, "ETag", 0, arguments)
        except SinkRejected as error:
            raise SinkRetry(error.reason) from error


def objects(items: Iterable[Published], job: str) -> list[LinesObject]:
    """Group items into objects, by kind and day, each group in its order.

    The name of an object is the time of its first item and a hash of all ids: a repeat of the same
    items replaces the object.
    """
    groups: dict[str, list[Published]] = {}
    for item in items:
        day = f"{utc(_time_ms(item)):%Y-%m-%d}"
        groups.setdefault(f"{KINDS[type(item)]}/job={job}/day={day}/", []).append(item)
    return [
        LinesObject(
            f"{where}{utc(_time_ms(group[0])):%H%M%S}-{digest(_ids(group))}.jsonl.gz", group
        )
        for where, group in groups.items()
    ]


def _ids(items: Iterable[Published]) -> list[str]:
    return [item.id for item in items]


def _time_ms(item: Published) -> int:
    """The end of the window, or the start of a silence that lasts."""
    return item.start_ms if item.end_ms is None else item.end_ms
