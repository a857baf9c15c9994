"""The configuration of a source that reads JSON lines from files and folders.

If a path contains a date (``.../2025/06/15/09/20-48-871-0b7b.jsonl``, as in captures), files are
ordered by the part from the date on, so that the files of several endpoints in one folder are read
in order of time.

A position is the file's name relative to the folder, and the offset of the next line in its
uncompressed content; behind the name it remembers what was read, so that files are recognised
(:mod:`stream.sources.jsonl.position`). Blank lines and byte order marks are skipped. See
:mod:`stream.sources.jsonl.reading` for files that are renamed or replaced, and for gaps.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

import structlog
from msgspec.structs import replace

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.sources.base import Reading, Source
from stream.sources.combined import CombinedReading
from stream.sources.jsonl.reading import JsonlReading

log = structlog.get_logger("driftline.jsonl")


class Jsonl(Source, frozen=True, tag="jsonl"):
    """Reads ``path``: a file of any name, or a folder of ``*.jsonl`` and ``*.jsonl.gz`` files.

    The subfolders of a folder are read too. A list of paths makes each of them a partition. With
    ``follow: true`` reading never ends: lines and files that are added later are read too.
    ``arrival_ms`` is the time of the file's last change. Raises ``SourceUnavailable`` if a path
    does not exist.
    """

    record_fields: ClassVar = frozenset({"file"})
    dates_records: ClassVar = False
    default_grace: ClassVar = "5m"

    path: str | list[str]
    """A file of any name, or a folder of ``*.jsonl`` and ``*.jsonl.gz`` files, also in folders
    below it; or a list of these, each of which is a partition. Files whose name ends in ``.gz`` are
    decompressed.
    """
    follow: bool = False
    """Whether lines and files that are added later are read too; otherwise the job ends with the
    files.
    """

    @property
    def paths(self) -> list[str]:
        """The paths as a list."""
        return [self.path] if isinstance(self.path, str) else self.path

    @property
    def identity(self) -> str:
        """The paths; files that were moved elsewhere are another source."""
        return f"jsonl {', '.join(self.paths)}"

    def in_folder(self, folder: Path) -> Self:
        """Return the source with its paths resolved below ``folder``."""
        resolved = [path and str(folder / path) for path in self.paths]
        return replace(self, path=resolved[0] if isinstance(self.path, str) else resolved)

    def check(self) -> list[Fault]:
        """Check that paths are given, each once; they need not exist on the machine that checks."""
        if not self.paths or not all(self.paths):
            return [Fault("path", "the path of a file or folder is required")]
        repeated = sorted({path for path in self.paths if self.paths.count(path) > 1})
        return [Fault("path", f"{path!r} is given more than once") for path in repeated]

    def open(self, job: str) -> Reading:
        """Check that the paths exist; no file is opened before the first poll."""
        readings = {path: self._open(path) for path in self.paths}
        return next(iter(readings.values())) if len(readings) == 1 else CombinedReading(readings)

    def _open(self, path: str) -> JsonlReading:
        try:
            os.stat(path)
        except OSError as error:
            advice = "Make the folder (or the file), or correct source.path"
            cause = error.strerror or str(error)
            raise SourceUnavailable(f"jsonl {path}", [cause], advice) from error
        reading = JsonlReading(path, self.follow)
        if not reading.order.listed:
            log.warning("no_input_files", path=path, follow=self.follow)
        return reading
