"""Sink ``jsonl``: window reports and signals as lines of files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import RawIOBase
from itertools import groupby
from pathlib import Path

import msgspec

from detectors.faults import Fault
from detectors.report import WindowReport
from sinks.base import Delivery, Published, Sink
from sinks.errors import SinkRetry


class Jsonl(Sink, frozen=True, tag="jsonl"):
    """Appends to files in the folder ``path``: ``reports-YYYY-MM-DD.jsonl`` by the day (UTC) of a
    window's end, ``signals.jsonl``.

    One JSON object a line; the report's counts are base64 in ``profile``. Lines are handed to the
    operating system before the cursor moves (no fsync: they outlive the process, not a power cut).
    A line that a crash or a full disk has torn is ended before the next one, and is the only kind
    of line that is not JSON. A repeat after a crash appends the same item again: readers keep one
    line for each ``id``. A full disk is retried, and what was written in part is taken back.
    """

    path: str
    """The folder that reports and signals are appended to, in files by day."""

    def check(self) -> list[Fault]:
        """Check that ``path`` can be a folder; it need not exist yet."""
        if not self.path:
            return [Fault("path", "the path of a folder is required")]
        if Path(self.path).is_file():
            return [Fault("path", f"{self.path!r} is a file; expected a folder")]
        return []

    def destinations(self) -> list[str]:
        """The folder."""
        return [f"folder {self.path}"]

    def open(self, job: str) -> Delivery:
        """The folder is made at the first item."""
        return JsonlDelivery(Path(self.path))


class JsonlDelivery:
    """The running half: opens a file for each call, so that it can be rotated from outside at any
    time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, items: Sequence[Published]) -> None:
        """Append all items; see :class:`Jsonl`."""
        written = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, run in groupby(items, _file_of):
                lines = [msgspec.json.encode(item) + b"\n" for item in run]
                append(self._folder / name, b"".join(lines))
                written += len(lines)
        except OSError as error:
            raise SinkRetry(
                f"{self._folder}: {error.strerror}", after_s=5.0, delivered=written
            ) from error

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Nothing to rebuild: the files are the state."""

    def close(self) -> None:
        """Nothing is held open."""


def append(path: Path, data: bytes) -> None:
    """Append lines to a file, all or none: what a full disk took in part is cut off again, since it
    comes again. Raises ``OSError``.
    """
    with path.open("ab+", buffering=0) as file:
        size, left = file.seek(0, 2), memoryview(data)
        try:
            if torn(file):
                file.write(b"\n")
            while left:
                left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def torn(file: RawIOBase) -> bool:
    """True if the last line of a file opened with ``ab+`` has no end."""
    if file.seek(0, 2) == 0:
        return False
    file.seek(-1, 2)
    return file.read(1) != b"\n"


def _file_of(item: Published) -> str:
    if not isinstance(item, WindowReport):
        return "signals.jsonl"
    moment = datetime.fromtimestamp(
        (item.start_ms if item.end_ms is None else item.end_ms) / 1000, UTC
    )
    return f"reports-{moment:%Y-%m-%d}.jsonl"
