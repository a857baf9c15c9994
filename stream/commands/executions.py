"""Executions in the words of Model Monitor: the windows of a job, or the periods of a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from detectors.violation import Violation
from sinks.day_files import end_ms_of
from stream.commands.report_files import ReportFiles
from stream.commands.report_times import TimedReport
from stream.commands.usage import wrong_option
from stream.commands.window_text import worst_first

SILENT: Final = "no data"
STATUS_OF: Final = {
    "ok": "Completed",
    "violations": "CompletedWithViolations",
    SILENT: "NoData",
    "incomplete": "Incomplete",
    "insufficient": "Insufficient",
    "learning": "Learning",
    "no inputs": "CompletedWithViolations",
}
"""The status of an execution, by the state of a window."""
STATUSES: Final = tuple(dict.fromkeys(STATUS_OF.values()))
UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """The worst violation of an execution."""

    feature: str
    """The feature."""
    check: str
    """The check that failed."""
    statistic: str
    """The statistic that was compared."""
    value: float
    """Its value."""
    limit: float
    """The limit that it was compared with."""
    description: str
    """The sentence of Model Monitor."""


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A window, or a period of a schedule, as ``driftline windows --json`` prints it."""

    id: str
    """The id of the newest report on it."""
    job: str
    """The job."""
    model: str
    """The model."""
    variant: str
    """The variant."""
    schedule: str | None
    """The length of the schedule's periods, such as ``1h``; null for a window."""
    start: str
    """The start, a time in UTC."""
    end: str | None
    """The end; null while a silence lasts."""
    start_ms: int
    """The start, in milliseconds since 1970."""
    end_ms: int | None
    """The end; null while a silence lasts."""
    status: str
    """The status, in the words of Model Monitor."""
    state: str
    """The state of a window; of a period the same as ``status``."""
    rows: int
    """The number of rows."""
    violations: int
    """The number of violations."""
    worst: Worst | None
    """The worst of them; null without any."""
    revision: int
    """The revision of the newest report."""
    notes: tuple[str, ...]
    """What limits the verdict, in sentences."""


class _Line(TimedReport, frozen=True, kw_only=True):
    """What is read of a report on a window or on a period."""

    id: str
    job: str
    model: str
    variant: str
    revision: int
    rows: int
    state: str = ""
    status: str = ""
    schedule_ms: int = 0
    violations: tuple[Violation, ...] = ()
    notes: tuple[str, ...] = ()
    generation: str = ""

    @property
    def about(self) -> tuple[object, ...]:
        """The window, silence or period that all revisions are about."""
        is_silence = self.state == SILENT
        end_ms = None if is_silence else self.end_ms
        return self.model, self.variant, self.start_ms, end_ms, is_silence, self.schedule_ms

    @property
    def until_ms(self) -> float:
        """The end; infinite while a silence lasts."""
        return float("inf") if self.end_ms is None else self.end_ms


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The executions to list; an empty model or variant, and no states, mean all.

    ``since_ms`` leaves out those that ended before. ``schedule_ms`` is 0 for windows, ``None`` for
    the periods of all schedules. ``last`` is the number of executions, ``None`` for all.
    """

    model: str = ""
    variant: str = ""
    since_ms: int | None = None
    states: frozenset[str] = frozenset()
    schedule_ms: int | None = 0
    last: int | None = None

    def wants(self, line: _Line) -> bool:
        """Return whether the newest report on an execution is to be listed."""
        return (
            self.model in ("", line.model)
            and self.variant in ("", line.variant)
            and (not self.states or not self.states.isdisjoint(_names(line)))
            and (self.schedule_ms is None or self.schedule_ms == line.schedule_ms)
        )


def states_named(names: Iterable[str]) -> frozenset[str]:
    """Return the states and statuses that ``--state`` names.

    Both vocabularies are accepted, in any case, with spaces, hyphens or none: a state of driftline
    means that state, and the periods with its status; a status of Model Monitor all that have it.

    >>> sorted(states_named(["no-inputs", "completedwithviolations"]))
    ['CompletedWithViolations', 'no inputs']
    """
    valid = (*STATUS_OF, *STATUSES)
    found: set[str] = set()
    for name in names:
        named = {known for known in valid if _plain(known) == _plain(name)}
        if not named:
            raise wrong_option("--state", f"{name!r} is none of {', '.join(valid)}")
        found |= named
    return frozenset(found)


class ReportLines(Protocol):
    """The lines of reports, in files or in a bucket."""

    @property
    def searched(self) -> str:
        """The place, for messages."""

    def lines(self, *, periods: bool, since_ms: int | None, few: bool) -> Iterator[bytes]:
        """Yield the lines of windows or periods, at least those that ended after ``since_ms``.

        With ``few`` the newest ones are enough.
        """


class FileReports:
    """The lines in the files of the jsonl sink."""

    def __init__(self, files: ReportFiles) -> None:
        self._files = files

    @property
    def searched(self) -> str:
        """The names of the files."""
        return self._files.searched

    def lines(self, *, periods: bool, since_ms: int | None, few: bool) -> Iterator[bytes]:
        """Yield the lines of all files but those of days that ended before."""
        paths = self._files.executions if periods else self._files.files
        for _, _, line in self._files.lines(_of_days(paths, since_ms)):
            yield line


def read_executions(reports: ReportLines, wanted: ExecutionFilter) -> list[Execution]:
    """Return the executions that the filter wants, in the order of their ends.

    Days that ended before ``since_ms`` are not read: a silence that began earlier is among the
    lines of its first day.
    """
    lines = reports.lines(
        periods=wanted.schedule_ms != 0, since_ms=wanted.since_ms, few=wanted.last is not None
    )
    newest = _newest(_decoded(lines), wanted.since_ms)
    found = sorted(filter(wanted.wants, newest), key=_order)
    shown = found if wanted.last is None else found[max(len(found) - wanted.last, 0) :]
    return [_execution(line) for line in shown]


def duration_text(ms: int) -> str:
    """Return a duration as the configuration has it.

    >>> duration_text(3_600_000), duration_text(90_000), duration_text(86_400_000)
    ('1h', '90s', '1d')
    """
    unit, size = next((unit, size) for unit, size in UNITS if ms % size == 0)
    return f"{ms // size}{unit}"


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("-", "").replace("_", "")


def _of_days(paths: Sequence[Path], since_ms: int | None) -> list[Path]:
    """The files that may hold something that ended after a time."""
    return [
        path
        for path in paths
        if since_ms is None or (end_ms := end_ms_of(path)) is None or end_ms > since_ms
    ]


def _decoded(lines: Iterable[bytes]) -> Iterator[_Line]:
    """The reports; lines that a crash has truncated are skipped."""
    decode = msgspec.json.Decoder(_Line).decode
    for line in lines:
        try:
            yield decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _newest(lines: Iterable[_Line], since_ms: int | None) -> list[_Line]:
    """The newest report on each execution that ended after a time.

    The end of a silence is kept until all is read: it is newer than its start, which has no end.
    """
    newest: dict[tuple[object, ...], _Line] = {}
    for line in lines:
        if line.state != SILENT and not _ended_after(line, since_ms):
            continue
        before = newest.get(line.about)
        if before is None or (before.generation, before.revision) <= (
            line.generation,
            line.revision,
        ):
            newest[line.about] = line
    return [line for line in newest.values() if _ended_after(line, since_ms)]


def _ended_after(line: _Line, since_ms: int | None) -> bool:
    return since_ms is None or line.until_ms > since_ms


def _order(line: _Line) -> tuple[object, ...]:
    return line.start_ms if line.end_ms is None else line.end_ms, line.model, line.variant


def _state(line: _Line) -> str:
    return line.state or line.status


def _status(line: _Line) -> str:
    return line.status or STATUS_OF.get(line.state, line.state)


def _names(line: _Line) -> set[str]:
    """The names by which ``--state`` selects an execution.

    A window has a state and its status. A period has a status, and all states that stand for it.
    """
    status = _status(line)
    of_status = [state for state in STATUS_OF if STATUS_OF[state] == status]
    states = [line.state] if line.state else of_status
    return {status, *states}


def _execution(line: _Line) -> Execution:
    worst = next(iter(worst_first(line.violations)), None)
    return Execution(
        id=line.id,
        job=line.job,
        model=line.model,
        variant=line.variant,
        schedule=duration_text(line.schedule_ms) if line.schedule_ms else None,
        start=_iso(line.start_ms),
        end=None if line.end_ms is None else _iso(line.end_ms),
        start_ms=line.start_ms,
        end_ms=line.end_ms,
        status=_status(line),
        state=_state(line),
        rows=line.rows,
        violations=len(line.violations),
        worst=None if worst is None else _worst(worst),
        revision=line.revision,
        notes=line.notes,
    )


def _worst(violation: Violation) -> Worst:
    return Worst(
        feature=violation.feature,
        check=violation.check,
        statistic=violation.statistic,
        value=violation.value,
        limit=violation.limit,
        description=violation.description,
    )


def _iso(time_ms: int) -> str:
    """A time in UTC, with milliseconds only where there are any."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    spec = "milliseconds" if time_ms % 1000 else "seconds"
    return at.isoformat(timespec=spec).replace("+00:00", "Z")
