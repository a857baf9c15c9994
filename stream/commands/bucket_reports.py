"""The lines that sink ``s3`` has put into a bucket, read for the executions of a job."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from rich.progress import Progress

from sinks.aws.object_names import folder, part, utc
from sinks.day_files import DAMAGED
from sinks.s3 import OWN, S3
from stream.commands.bucket_reading import reading_bucket, reading_client
from stream.commands.command_group import complain

AT_ONCE: Final = 16
"""Objects that are fetched at the same time."""
FEW_DAYS: Final = 2
"""The newest days that are read where only the last executions are asked for."""
WINDOWS, PERIODS = "windows", "executions"


class BucketReports:
    """The lines of a job below the prefix of a sink.

    Listing and reading need the permissions ``s3:ListBucket`` and ``s3:GetObject``, which the sink
    itself does not have. Raises :class:`~stream.errors.DataError` if no client can be built.
    """

    def __init__(self, sink: S3, job: str, progress: Progress | None = None) -> None:
        self._bucket = sink.bucket
        self._prefix = f"{folder(sink.prefix)}{OWN}"
        self._job = job
        self._progress = progress
        self._aws = reading_client(self.searched, sink.region, sink.endpoint_url, AT_ONCE)

    @property
    def searched(self) -> str:
        """The place, for messages."""
        return f"s3://{self._bucket}/{self._prefix}"

    def lines(self, *, periods: bool, since_ms: int | None, few: bool) -> Iterator[bytes]:
        """Yield the lines of windows or periods, of days that may have ended after ``since_ms``.

        Without it, and with ``few``, only the newest days are read. Raises
        :class:`~stream.errors.DataError` if the bucket cannot be read.
        """
        place = f"{self._prefix}{PERIODS if periods else WINDOWS}/job={part(self._job)}/"
        with reading_bucket(self.searched):
            days = self._days(place)
            if since_ms is not None:
                first = f"{place}day={utc(since_ms):%Y-%m-%d}/"
                days = [day for day in days if day >= first]
            elif few:
                days = days[-FEW_DAYS:]
            for day in days:
                yield from self._lines_of(day)

    def _days(self, place: str) -> list[str]:
        """The folders of the days, the earliest first."""
        return [
            found["Prefix"]
            for page in self._pages(Prefix=place, Delimiter="/")
            for found in page.get("CommonPrefixes", [])
        ]

    def _lines_of(self, day: str) -> Iterator[bytes]:
        listed = [item for page in self._pages(Prefix=day) for item in page.get("Contents", [])]
        executor = ThreadPoolExecutor(AT_ONCE)
        try:
            yield from self._fetched(listed, executor)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def _fetched(
        self, listed: Sequence[dict[str, Any]], executor: ThreadPoolExecutor
    ) -> Iterator[bytes]:
        progress = self._progress
        size = sum(item["Size"] for item in listed)
        task = progress.add_task(f"reading {self._bucket}", total=size) if progress else None
        keys = [item["Key"] for item in listed]
        for item, body in zip(listed, executor.map(self._body, keys), strict=True):
            if progress and task is not None:
                progress.advance(task, item["Size"])
            try:
                yield from gzip.decompress(body).splitlines()
            except DAMAGED as error:
                complain(f"s3://{self._bucket}/{item['Key']}: damaged ({error})", "warning")

    def _body(self, key: str) -> bytes:
        return bytes(self._aws.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _pages(self, **options: str) -> Any:
        paginator = self._aws.get_paginator("list_objects_v2")
        return paginator.paginate(Bucket=self._bucket, **options)
