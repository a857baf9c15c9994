"""The published reports and signals in the files of the jsonl sink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
from rich.progress import Progress

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from sinks.day_files import DAMAGED, files_of, opened, with_compressed_since
from stream.commands.command_group import complain
from stream.commands.report_times import TimedReport
from stream.commands.usage import wrong_option, wrong_usage
from stream.config.artifact_paths import ArtifactPaths
from stream.errors import DataError

T = TypeVar("T")
R = TypeVar("R", WindowReport, QualityReport)
SIGNALS: Final = "signals.jsonl"


class ReportHead(TimedReport, frozen=True, kw_only=True):
    """What identifies a report, and its violations, without its numbers."""

    id: str
    model: str
    variant: str
    revision: int
    state: str
    violations: tuple[msgspec.Raw, ...] = ()
    generation: str = ""

    @property
    def window(self) -> tuple[object, ...]:
        """The window or silence that all revisions and generations of the report are about."""
        is_silence = self.state == "no data"
        end_ms = None if is_silence else self.end_ms
        return self.model, self.variant, self.start_ms, end_ms, is_silence

    @property
    def order(self) -> tuple[object, ...]:
        """The order of reports: by time, then by generation and revision."""
        end_ms = self.start_ms if self.end_ms is None else self.end_ms
        return end_ms, self.start_ms, self.model, self.variant, self.generation, self.revision

    def covers(self, time_ms: int) -> bool:
        """Return whether the time lies in the window ``[start, end)``."""
        return self.start_ms <= time_ms and (self.end_ms is None or time_ms < self.end_ms)


class FoundReport(NamedTuple):
    """The head of a report, and the place of its line."""

    head: ReportHead
    file: Path
    offset: int


class ReportFiles:
    """The files of reports and signals that a configuration or ``--reports`` names.

    Raises ``click.UsageError`` for options that lead to no file. Lines that a crash has truncated
    are skipped.
    """

    def __init__(
        self, paths: ArtifactPaths | None, reports: Path | None, progress: Progress | None = None
    ) -> None:
        self._progress = progress
        sources = _sources(paths, reports)
        self.files = [
            file
            for source in sources
            for file in (files_of(source, ["reports"]) if source.is_dir() else [source])
            if file.is_file()
        ]
        folders = [source if source.is_dir() else source.parent for source in sources]
        self._signals = [path for folder in folders if (path := folder / SIGNALS).is_file()]
        self._quality = [path for folder in folders for path in files_of(folder, ["quality"])]
        self.executions = [path for folder in folders for path in files_of(folder, ["executions"])]
        """The files of reports on the periods of schedules."""

    @property
    def searched(self) -> str:
        """The names of the files, for messages."""
        return ", ".join(map(str, self.files)) or "no file"

    def report(self, report_id: str) -> WindowReport:
        """Return the report with this id; raises :class:`~stream.errors.DataError` without one."""
        report = self._with_id(report_id, self.files, WindowReport)
        if report is None:
            raise DataError(f"report {report_id!r}", f"not found; searched {self.searched}")
        return report

    def quality_report(self, report_id: str) -> QualityReport | None:
        """Return the quality report with this id; ``None`` without one."""
        return self._with_id(report_id, self._quality, QualityReport)

    def _with_id(self, report_id: str, files: Sequence[Path], type_: type[R]) -> R | None:
        quoted_id = msgspec.json.encode(report_id.encode(errors="replace").decode())
        for _, _, line in self.lines(files):
            if quoted_id in line:
                report = _decoded(line, type_)
                if report is not None and report.id == report_id:
                    return report
        return None

    def newest_quality(self) -> dict[tuple[object, ...], FoundReport]:
        """Return the newest quality report of each window that has one, by the window."""
        return self._newest(self._quality)

    def quality_of(self, report: WindowReport) -> QualityReport | None:
        """Return the newest quality report on the window of a report; ``None`` without one."""
        found = self.newest_quality().get(
            (report.model, report.variant, report.start_ms, report.end_ms, False)
        )
        return None if found is None else self.load_quality(found)

    def load_quality(self, found: FoundReport) -> QualityReport:
        """Return a quality report that was found before; as of :meth:`load`."""
        quality = _at(found, QualityReport) or self.quality_report(found.head.id)
        if quality is None:
            raise DataError(f"report {found.head.id!r}", f"no longer in {found.file.parent}")
        return quality

    def newest(self) -> list[FoundReport]:
        """Return the newest report of each window, in order of time."""
        newest = self._newest(self.files)
        return sorted(newest.values(), key=lambda found: found.head.order)

    def _newest(self, files: Sequence[Path]) -> dict[tuple[object, ...], FoundReport]:
        newest: dict[tuple[object, ...], FoundReport] = {}
        for file, offset, line in self.lines(files):
            head = _decoded(line, ReportHead)
            if head is None:
                continue
            before = newest.get(head.window)
            if before is None or _age(before.head) <= _age(head):
                newest[head.window] = FoundReport(head, file, offset)
        return newest

    def load(self, found: FoundReport) -> WindowReport:
        """Return a report that was found before.

        It is searched again if its file was compressed since then. Raises
        :class:`~stream.errors.DataError` if it is no longer there.
        """
        return _at(found, WindowReport) or self.report(found.head.id)

    def signal(self, signal_id: str) -> Signal | None:
        """Return the signal with this id, ``dedupe_id`` or, the newest one, this episode."""
        found = None
        for signal in self.signals():
            if signal_id in (signal.id, signal.dedupe_id, signal.episode):
                found = signal
        return found

    def signals(self) -> list[Signal]:
        """Return all signals, in the order in which they were written."""
        lines = (line for _, _, line in self.lines(self._signals))
        return [signal for line in lines if (signal := _decoded(line, Signal)) is not None]

    def since_ms(self, report: WindowReport) -> int | None:
        """Return since when the model drifted in a window, ``None`` if no signal was about it.

        That is the start of the first violating window of the episode that was open.
        """
        since: dict[str, int] = {}
        for signal in self.signals():
            if signal.quality is not None or (
                signal.job,
                signal.model,
                signal.variant,
                signal.baseline,
            ) != (
                report.job,
                report.model,
                report.variant,
                report.baseline,
            ):
                continue
            since[signal.episode] = signal.first_violation_ms
            if signal.kind == "recovered" and report.start_ms >= signal.start_ms:
                del since[signal.episode]
        return max((first for first in since.values() if first <= report.start_ms), default=None)

    def lines(self, files: Sequence[Path]) -> Iterator[tuple[Path, int, bytes]]:
        """Yield each line with its file and its place in it, and show the progress."""
        size = sum(path.stat().st_size for path in files if path.exists())
        progress = self._progress
        task = progress.add_task("searching reports", total=size) if progress else None
        for path in with_compressed_since(files):
            offset = read = 0
            try:
                with opened(path) as (lines, file):
                    for line in lines:
                        if progress and task is not None:
                            read, before = file.tell(), read
                            progress.advance(task, read - before)
                        yield path, offset, line
                        offset += len(line)
            except FileNotFoundError:  # removed since then, as ``keep`` does
                continue
            except DAMAGED as error:
                complain(f"{path}: read up to where it is damaged ({error})", "warning")


def _at(found: FoundReport, type_: type[R]) -> R | None:
    """The report at the place where it was found before; ``None`` if it is no longer there."""
    with suppress(FileNotFoundError, *DAMAGED), opened(found.file) as (lines, _):
        lines.seek(found.offset)
        report = _decoded(lines.readline(), type_)
        return report if report is not None and report.id == found.head.id else None
    return None


def _age(head: ReportHead) -> tuple[str, int]:
    return head.generation, head.revision


def _decoded(line: bytes, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(line, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _sources(paths: ArtifactPaths | None, reports: Path | None) -> list[Path]:
    if reports is None and paths is None:
        raise wrong_usage("Give --config, or --reports with the folder of the reports.")
    sources = [*([reports] if reports else []), *(paths.reports if paths else [])]
    if not sources:
        message = "its jsonl sinks have written no reports: name their folder with --reports"
        raise wrong_option("--config", message)
    return sources
