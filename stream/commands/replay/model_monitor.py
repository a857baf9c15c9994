"""Reads the reports that Model Monitor wrote, one per hour, from a folder or from S3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from stream.commands.bucket_reading import reading_bucket, reading_client
from stream.errors import DataError

VIOLATIONS: Final = ("constraint_violations.json", "constraints_violations.json")
"""The names of the file of violations: the usual one, and one in parts of the documentation."""
STATISTICS: Final = "statistics.json"
DATED: Final = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/(\d{2})/([^/]+)$")


class MonitorViolation(msgspec.Struct, frozen=True):
    """A violation as Model Monitor reports it."""

    constraint_check_type: str
    description: str = ""
    feature_name: str = ""
    metric_name: str = ""


class _Violations(msgspec.Struct, frozen=True):
    violations: list[MonitorViolation] = []


class _Dataset(msgspec.Struct, frozen=True):
    item_count: int | None = None


class _Statistics(msgspec.Struct, frozen=True):
    dataset: _Dataset = _Dataset()


class MonitorRun(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one run: the hour in its path, its violations, and the rows that it read.

    ``rows`` is ``None`` without a ``statistics.json``.
    """

    hour_ms: int
    path: str
    violations: tuple[MonitorViolation, ...]
    rows: int | None = None


def monitor_runs(place: str, region: str = "", endpoint_url: str = "") -> list[MonitorRun]:
    """Return the runs below a folder or an ``s3://`` prefix, in order of their hours.

    Their files are below ``.../yyyy/mm/dd/hh/``. A run without violations may have written no file
    of them; it is recognised by its ``statistics.json``. Raises
    :class:`~stream.errors.DataError` if there is no run, an hour has several, or a file cannot be
    read.
    """
    files = _s3_files(place, region, endpoint_url) if place.startswith("s3://") else _files(place)
    runs: dict[int, dict[str, tuple[str, bytes]]] = {}
    for path, content in files:
        hour_ms, name = _dated(path)
        run = runs.setdefault(hour_ms, {})
        folders = sorted({at.rpartition("/")[0] for at in (*(at for at, _ in run.values()), path)})
        run[name] = (path, content)
        if len(folders) > 1:
            reason = f"several reports on one hour, {' and '.join(folders)}: name one schedule"
            raise DataError(place, reason)
    if not runs:
        example = ".../2026/11/29/17/constraint_violations.json"
        raise DataError(place, f"no reports of Model Monitor, such as {example}")
    return [_run(hour_ms, runs[hour_ms]) for hour_ms in sorted(runs)]


def is_report(path: str) -> bool:
    """Return whether a path is that of a file that :func:`monitor_runs` reads.

    >>> is_report("reports/2026/11/29/17/statistics.json"), is_report("statistics.json")
    (True, False)
    """
    found = DATED.search(path)
    return found is not None and found.group(5) in (*VIOLATIONS, STATISTICS)


def _files(folder: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(Path(folder).rglob("*.json")):
        if is_report(path.as_posix()):
            try:
                yield path.as_posix(), path.read_bytes()
            except OSError as error:
                raise DataError(str(path), error.strerror or str(error)) from error


def _s3_files(place: str, region: str, endpoint_url: str) -> Iterator[tuple[str, bytes]]:
    parts = urlsplit(place)
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    aws = reading_client(place, region, endpoint_url)
    with closing(aws), reading_bucket(place):
        for page in aws.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if is_report(item["Key"]):
                    body = aws.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                    yield f"s3://{bucket}/{item['Key']}", body


def _dated(path: str) -> tuple[int, str]:
    found = DATED.search(path)
    if found is None:
        raise ValueError(path)
    year, month, day, hour, name = found.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)
    except ValueError as error:
        raise DataError(path, f"no date: {error}") from error
    return int(at.timestamp() * 1000), name


def _run(hour_ms: int, files: dict[str, tuple[str, bytes]]) -> MonitorRun:
    violations: list[MonitorViolation] = []
    for name in VIOLATIONS:
        if name in files:
            violations += _decoded(*files[name], _Violations).violations
    statistics = _Statistics()
    if STATISTICS in files:
        statistics = _decoded(*files[STATISTICS], _Statistics)
    return MonitorRun(
        hour_ms=hour_ms,
        path=next(iter(files.values()))[0].rpartition("/")[0],
        violations=tuple(violations),
        rows=statistics.dataset.item_count,
    )


def _decoded(path: str, content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(path, f"no file of Model Monitor ({error})") from error
