"""What becomes of the files of days that are closed: they are compressed, and later removed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Final

import structlog

from sinks.day_files import COMPRESSED, DAY_MS, compress, end_ms_of, files_of, remove_if_added

MARGIN_MS: Final = 3_600_000
"""A day is closed this long after its end: revisions of its last windows are still to come."""

log = structlog.get_logger("driftline.sink")


class ClosedDays:
    """Compresses the files by day of a folder once their day is closed, and removes old ones.

    The time is that of the newest line that was written, and not that of the clock: a replay of
    last year's events closes and removes days as their own time passes. ``keep_ms`` is the age from
    which on files are removed (``None``: never); ``compresses`` is false if they stay as they are.

    A file that cannot be compressed stays, is told, and is tried again a day later.
    """

    def __init__(
        self, folder: Path, kinds: Sequence[str], keep_ms: int | None, compresses: bool
    ) -> None:
        self._folder = folder
        self._kinds = kinds
        self._keep_ms = keep_ms
        self._compresses = compresses
        self._newest_ms = -1
        self._day: int | None = None
        """The day at which the folder was listed last."""
        self._due: deque[Path] = deque()
        self._recovered = False

    def recover(self) -> None:
        """Finish what a crash interrupted, before the first line is appended.

        Raises ``OSError``.
        """
        if not self._recovered:
            for path in self._files():
                if path.suffix != COMPRESSED:
                    remove_if_added(path)
            self._recovered = True

    def settle(self, newest_ms: int) -> None:
        """Remove what is too old, and compress at most one file, so that delivery goes on."""
        self._newest_ms = max(self._newest_ms, newest_ms)
        day = (self._newest_ms - MARGIN_MS) // DAY_MS
        if day != self._day:
            self._day = day
            self._list()
        if self._due:
            self._compress(self._due.popleft())

    def _files(self) -> list[Path]:
        return [
            path
            for path in files_of(self._folder, self._kinds)
            if end_ms_of(path) is not None and path.is_file() and not path.is_symlink()
        ]

    def _list(self) -> None:
        """Remove the files that are too old, and find those of closed days."""
        files = [(path, end_ms) for path in self._files() if (end_ms := end_ms_of(path))]
        keep_ms = inf if self._keep_ms is None else self._keep_ms
        old = [path for path, end_ms in files if end_ms + keep_ms <= self._newest_ms]
        removed = [path.name for path in old if self._remove(path)]
        self._due.clear()
        if self._compresses:
            self._due.extend(
                path
                for path, end_ms in files
                if path.suffix != COMPRESSED
                and path not in old
                and end_ms + MARGIN_MS <= self._newest_ms
            )
        if removed:
            log.info("days_removed", folder=str(self._folder), files=removed)

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink()
        except OSError as error:
            log.warning("day_not_removed", file=str(path), reason=error.strerror)
            return False
        return True

    def _compress(self, path: Path) -> None:
        try:
            if compress(path):
                log.info("day_compressed", file=str(path))
        except OSError as error:
            self._recovered = False
            log.warning("day_not_compressed", file=str(path), reason=error.strerror or str(error))
