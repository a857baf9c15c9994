"""Sink ``jsonl``: appends reports and signals to files, one JSON object per line."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import groupby
from pathlib import Path
from typing import ClassVar, Final, Self

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from sinks.base import Delivery, Published, Sink, line_of
from sinks.closed_days import ClosedDays
from sinks.day_files import (
    COMPRESSED,
    DAMAGED,
    DAY_MS,
    end_ms_of,
    is_added,
    is_at,
    locked,
    name_of,
    opened,
    private,
    torn,
    with_compressed_since,
)
from sinks.errors import SinkRetry

NAMES: Final[dict[type[Published], str]] = {
    WindowReport: "reports",
    QualityReport: "quality",
    ScheduleReport: "executions",
}
"""The first part of the names of files by day."""
SIGNALS: Final = "signals.jsonl"
ATTEMPTS: Final = 20
DISK_PAUSE_S = 5.0
"""The shortest wait after a failed write to the disk."""


class Jsonl(Sink, frozen=True, tag="jsonl"):
    """Appends reports and signals to files in the folder ``path``.

    Reports go to ``reports-YYYY-MM-DD.jsonl``, by the day (UTC) of a window's end, those on the
    quality of a model to ``quality-YYYY-MM-DD.jsonl`` and those on the periods of all schedules to
    ``executions-YYYY-MM-DD.jsonl`` (without their statistics), by the same day, signals to
    ``signals.jsonl``. Each line is one JSON object; the counts of a report are base64 in
    ``profile`` or ``counts``. Lines are handed to the operating system before the cursor moves
    (without fsync: they survive a crash of the process, not a power failure). A line that a crash
    or a full disk truncated is terminated before the next one, and is the only kind of line that is
    not valid JSON. New files can be read by the user of the service alone.

    Once the newest report is an hour into the next day, the files of a day are compressed, to
    ``reports-YYYY-MM-DD.jsonl.gz``. Later revisions are in a file without ``.gz`` beside it, and
    are added to it a day later. With ``keep`` files of earlier days are removed. Both go by the
    times of the reports, not by the clock. The commands of driftline read all of these files.

    A repeat after a crash appends the same item again: readers keep one line for each ``id``. A
    full disk is retried, and a partial write is undone.
    """

    takes: ClassVar = (WindowReport, Signal, QualityReport, ScheduleReport)

    path: str
    """The folder that reports and signals are appended to, in files by day."""
    schedule: Duration | None = None
    """The length of the periods that are reported as a whole, such as ``1h``; default: none."""
    keep: Duration | None = None
    """Files of days that ended this long before the newest report are removed, such as ``30d``;
    default: never. Signals are kept. Use a folder of its own for each job then.
    """
    compress: bool = True
    """Whether the files of closed days are compressed."""

    def in_folder(self, folder: Path) -> Self:
        """Return the sink with ``path`` resolved below ``folder``."""
        return msgspec.structs.replace(self, path=self.path and str(folder / self.path))

    def check(self) -> list[Fault]:
        """Check that ``path`` can be a folder; it need not exist yet."""
        if not self.path:
            return [Fault("path", "the path of a folder is required")]
        if Path(self.path).is_file():
            return [Fault("path", f"{self.path!r} is a file; expected a folder")]
        if self.keep is not None and duration_ms(self.keep) < DAY_MS:
            return [Fault("keep", f"expected at least 1d, found {self.keep}")]
        return []

    def schedules_ms(self) -> tuple[int, ...]:
        """Return the schedule, if there is one."""
        return () if self.schedule is None else (duration_ms(self.schedule),)

    def destinations(self) -> list[str]:
        """Return the folder."""
        return [f"folder {self.path}"]

    def has_reports_of(self, job: str) -> bool:
        """Return whether a file of the folder has a line of this job, or cannot be read."""
        folder = Path(self.path)
        files = [*folder.glob("*.jsonl"), *folder.glob(f"*.jsonl{COMPRESSED}")]
        try:
            listed = sorted(file for file in files if file.is_file())
            return any(_names_job(file, job) for file in with_compressed_since(listed))
        except (OSError, *DAMAGED):
            return True

    def open(self, job: str) -> Delivery:
        """Build the running half; the folder is created with the first item."""
        keep_ms = None if self.keep is None else duration_ms(self.keep)
        folder = Path(self.path)
        return JsonlDelivery(
            folder, ClosedDays(folder, list(NAMES.values()), keep_ms, self.compress)
        )


class JsonlDelivery(Delivery):
    """The running half. It opens files for each call, so that they can be rotated at any time."""

    def __init__(self, folder: Path, closed_days: ClosedDays) -> None:
        self._folder = folder
        self._closed_days = closed_days

    def deliver(self, items: Sequence[Published]) -> None:
        """Append all items; see :class:`Jsonl`."""
        written = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._closed_days.recover()
            for name, run in groupby(items, _file_of):
                lines = [msgspec.json.encode(line_of(item)) + b"\n" for item in run]
                append(self._folder / name, b"".join(lines))
                written += len(lines)
        except OSError as error:
            reason = f"{self._folder}: {error.strerror}"
            raise SinkRetry(reason, after_s=DISK_PAUSE_S, delivered=written) from error
        times = [_time_ms(item) for item in items if not isinstance(item, Signal)]
        if times:
            self._closed_days.settle(max(times))

    def close(self) -> None:
        """Do nothing: no file is kept open."""


class _OfJob(msgspec.Struct):
    job: str


def _names_job(path: Path, job: str) -> bool:
    """Return whether a line of the file is a report or signal of the job."""
    name = msgspec.json.encode(job)
    with opened(path) as (lines, _):
        return any(name in line and _job_of(line) == job for line in lines)


def _job_of(line: bytes) -> str:
    """The job of a line; empty for a line that a crash truncated."""
    try:
        return msgspec.json.decode(line, type=_OfJob).job
    except msgspec.MsgspecError:
        return ""


def append(path: Path, data: bytes) -> None:
    """Append lines to a file, all or none.

    A partial write is truncated, because the lines will be written again. A new file can be read
    by its user alone, because labels of bins are feature values. Raises ``OSError``.
    """
    with _to_append(path) as file:
        size = file.seek(0, 2)
        left = memoryview(data)
        try:
            if torn(file):
                file.write(b"\n")
            while left:
                left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


@contextmanager
def _to_append(path: Path) -> Iterator[FileIO]:
    """Open and lock a file; again, as often as another process has just compressed and removed it.

    A file that is compressed already, but that a crash kept from being removed, is removed first:
    with more lines in it, all of it would be compressed a second time. Where the file system has no
    locks, the file is used without. Raises ``OSError``, and never opens a file that has been
    removed.
    """
    for _ in range(ATTEMPTS):
        with open(path, "ab+", buffering=0, opener=private) as file:  # Path has no opener
            held = locked(file, path)
            if held and end_ms_of(path) is not None and is_added(file, path):
                path.unlink()
            elif held or is_at(file, path):
                yield file
                return
    raise OSError(errno.EBUSY, f"{path.name} was removed each time it was opened")


def _time_ms(item: WindowReport | QualityReport | ScheduleReport) -> int:
    """The end of the window, or the start of a silence that lasts."""
    return item.start_ms if item.end_ms is None else item.end_ms


def _file_of(item: Published) -> str:
    return SIGNALS if isinstance(item, Signal) else name_of(NAMES[type(item)], _time_ms(item))
