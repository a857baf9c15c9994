"""`driftline baseline --season`: the seasons of training data, or of past reports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from detectors.errors import BaselineInvalid
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.profiles.seasons import Seasons
from stream.baselining.build import FILES
from stream.baselining.files import write_files
from stream.baselining.seasonal import SeasonCount, count_seasons
from stream.baselining.training_data import TrainingData
from stream.commands.report_files import ReportFiles
from stream.commands.reported_seasons import reported_seasons
from stream.commands.season_choice import SeasonOptions
from stream.commands.season_page import print_seasons
from stream.commands.usage import wrong_option, wrong_usage
from stream.errors import DataError


class FoundSeasons(msgspec.Struct, frozen=True):
    """Seasons that were written to a folder, how many windows they have, and what was left out."""

    seasons: Seasons
    windows: int
    left_out: Counter[str]
    out: Path


def training_seasons(
    training: TrainingData, options: SeasonOptions, layout: Layout, progress: Progress
) -> SeasonCount:
    """Count the rows of training data, which are read once more, by season.

    Raises ``click.UsageError`` for a column of times that no row can be read by.
    """
    task = progress.add_task("counting seasons", total=training.size)
    chunks = training.chunks(lambda size: progress.advance(task, size))
    try:
        return count_seasons(chunks, layout, options.calendar, options.time_column)
    except DataError as error:
        raise wrong_option("--time", str(error)) from error


def season_notes(found: SeasonCount, time: str) -> tuple[str, ...]:
    """A sentence on the rows without a season, if there are any."""
    if not found.untimed:
        return ()
    rows = counted(found.untimed, "row")
    return (f"{rows} without a time in '{time}' that can be read: in no season",)


def make_seasons_of_reports(
    folder: Path, reports: Path, options: SeasonOptions, out: Path | None, progress: Progress
) -> FoundSeasons:
    """Give the baseline in ``folder`` the seasons of past reports, and write it to ``out``.

    Without ``out`` it is written to its own folder. Raises ``click.UsageError`` for a folder that
    holds no baseline, and if no window is left.
    """
    calendar = options.calendar
    baseline = _baseline(folder)
    files = ReportFiles(None, reports, progress)
    found = reported_seasons(files, baseline.layout, calendar, options.model or "")
    if len(found.models) > 1:
        raise wrong_usage(f"Reports are of several models: --model {' or '.join(found.models)}.")
    if not found.windows:
        reasons = "; ".join(_sentences(found.left_out)) or f"searched {files.searched}"
        raise wrong_option("--from-reports", f"no window to learn from: {reasons}")
    target = out or folder
    contents = {FILES[2]: baseline.seasonal(found.seasons).encode()}
    if target != folder:
        contents |= {name: (folder / name).read_bytes() for name in FILES[:2]}
    try:
        write_files(target, contents)
    except OSError as error:
        raise wrong_option("--out", f"cannot write to {target}: {error.strerror}") from error
    return FoundSeasons(found.seasons, found.windows, found.left_out, target)


def print_found(found: FoundSeasons, console: Console, warnings: Console) -> None:
    """Print the seasons, and to a console of its own what was left out."""
    print_seasons(found.seasons, console)
    for sentence in _sentences(found.left_out):
        warnings.print(f"left out: {sentence}", markup=False, highlight=False, soft_wrap=True)
    line = f"seasons of {counted(found.windows, 'window')}: {found.out}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _baseline(folder: Path) -> Baseline:
    """The baseline as it was written: later edits of its constraints stay in their file."""
    try:
        return Baseline.decode((folder / FILES[2]).read_bytes())
    except OSError as error:
        message = f"with --from-reports it is a folder with {FILES[2]}: {error.strerror}"
        raise wrong_option("TRAIN", message) from error
    except BaselineInvalid as error:
        raise wrong_option(
            "TRAIN", f"{folder / FILES[2]}: {error.field}: {error.reason}"
        ) from error


def _sentences(left_out: Counter[str]) -> list[str]:
    return [
        f"{counted(count, 'window')} that {reason}" for reason, count in sorted(left_out.items())
    ]
