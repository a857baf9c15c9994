"""Reads the counts of windows from past reports, in order of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa

from detectors.errors import DetectorError
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from stream.commands.report_files import ReportFiles
from stream.commands.report_times import TimedReport
from stream.events import ModelKey

DAMAGED = (DetectorError, msgspec.MsgspecError, pa.ArrowException, ValueError, OSError)
"""The errors of counts that cannot be read."""


class PastSeason(msgspec.Struct, frozen=True):
    """The seasons that a past window was compared with, by their version."""

    version: str = ""


class PastReport(TimedReport, frozen=True, kw_only=True):
    """What judging a window again needs of its report; all numbers follow from ``profile``."""

    job: str
    model: str
    variant: str
    revision: int
    state: str
    rows: int
    baseline: str
    layout: str
    profile: bytes = b""
    generation: str = ""
    season: PastSeason | None = None

    @property
    def key(self) -> ModelKey:
        """Its model and variant."""
        return ModelKey(self.model, self.variant)

    def comes_before(self, other: PastReport) -> bool:
        """Whether it is judged rather than another report on its window.

        That is the newest generation, and of that the first revision: it moved the episodes.
        """
        if self.generation != other.generation:
            return self.generation > other.generation
        return self.revision < other.revision


class PastWindows:
    """The windows of each model and variant in order of time, and what was left out.

    ``job`` and ``models`` are those of the configuration; with ``model`` the windows are those of
    that one alone. ``unreadable`` counts lines that are no reports, ``left_out`` the reports that
    have no counts, by state, and ``others`` those of another job or model, by its name.
    """

    def __init__(
        self, files: ReportFiles, job: str, models: Collection[str], model: str = ""
    ) -> None:
        self.unreadable = 0
        self.left_out: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        found: dict[tuple[ModelKey, int, int], PastReport] = {}
        decoder = msgspec.json.Decoder(PastReport)
        for _, _, line in files.lines(files.files):
            report = self._decoded(decoder, line)
            if report is None:
                continue
            if report.job != job or report.model not in models:
                other = f"job {report.job}" if report.job != job else f"model {report.model}"
                self.others[other] += 1
                continue
            if model not in ("", report.model):
                continue
            window = report.key, report.start_ms, report.end_ms or 0
            before = found.get(window)
            if before is None or report.comes_before(before):
                found[window] = report
        self.of: dict[ModelKey, list[PastReport]] = {}
        for _, report in sorted(found.items(), key=_end_and_start):
            self.of.setdefault(report.key, []).append(report)

    def __len__(self) -> int:
        return sum(map(len, self.of.values()))

    def _decoded(self, decoder: msgspec.json.Decoder[PastReport], line: bytes) -> PastReport | None:
        """The report in a line; ``None``, and counted, without one that has counts."""
        try:
            report = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.unreadable += bool(line.strip())
            return None
        if report.end_ms is None or not report.profile:
            self.left_out[report.state] += 1
            return None
        return report


def _end_and_start(
    item: tuple[tuple[ModelKey, int, int], PastReport],
) -> tuple[int, int, ModelKey]:
    key, start_ms, end_ms = item[0]
    return end_ms, start_ms, key


class KnownBaselines:
    """The baselines that past reports can be judged by.

    ``of_models`` are those of the configuration by model, ``others`` further ones, and ``stored``
    finds one in the state of the job, by its fingerprint and the version of its seasons (empty for
    none). A report is judged by the baseline that it names; by that of the configuration where it
    has the same bins. Seasons are those that the window was compared with, if they are known.
    """

    def __init__(
        self,
        of_models: Mapping[str, Baseline],
        others: Sequence[Baseline],
        stored: Callable[[str, str], Baseline | None],
    ) -> None:
        self._of_models = of_models
        self._known = {each.fingerprint: each for each in (*of_models.values(), *others)}
        self._known |= {each.checksum: each for each in (*of_models.values(), *others)}
        self._stored = cache(stored)

    def of(self, report: PastReport) -> Baseline | None:
        """The baseline for a report; ``None`` if there is none."""
        found = self._named(report)
        version = "" if report.season is None else report.season.version
        if not version or (found and found.seasons and found.seasons.fingerprint == version):
            return found
        return self._stored(report.baseline, version) or found

    def _named(self, report: PastReport) -> Baseline | None:
        """The baseline that a report names, whatever its seasons."""
        name = report.baseline
        found = self._known.get(name) or self._stored(name, "")
        own = self._of_models.get(report.model)
        if found is None and own and own.layout.fingerprint == report.layout:
            return own
        return found


def readable(
    reports: Iterable[PastReport], baselines: KnownBaselines, problems: Counter[str]
) -> Iterator[tuple[PastReport, Baseline, Profile]]:
    """Yield each report with its baseline and its counts; what cannot be read goes to ``problems``.

    Those are sentences with the number of windows that they are about.
    """
    for report in reports:
        baseline = baselines.of(report)
        if baseline is None:
            problems[
                f"of {report.model} need the baseline {report.baseline}, which is not here: name"
                " its folder with --baseline"
            ] += 1
            continue
        try:
            profile = Profile.decode(report.profile, baseline.layout)
        except DAMAGED as error:
            problems[f"of {report.model} have damaged counts ({type(error).__name__})"] += 1
            continue
        yield report, baseline, profile


def told(windows: PastWindows, problems: Counter[str], folder: Sequence[Path]) -> list[str]:
    """Return what was left out, in sentences."""
    sentences = [
        f"{counted(count, 'window')} {problem}" for problem, count in sorted(problems.items())
    ]
    return [*sentences, *told_of_lines(windows, folder)]


def told_of_lines(windows: PastWindows, files: Sequence[Path]) -> list[str]:
    """Return which lines were left out, in sentences: damaged ones, those of other jobs, models."""
    sentences = [
        f"{counted(count, 'report')} of {other}, which the configuration does not have: left out"
        for other, count in sorted(windows.others.items())
    ]
    if windows.unreadable:
        lines = counted(windows.unreadable, "line")
        sentences.append(f"{lines} in {len(files)} files are no reports, or damaged: left out")
    return sentences
