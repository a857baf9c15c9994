"""`driftline baseline`: makes the three files of a baseline from training data."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from detectors.errors import BaselineInvalid
from detectors.phrases import counted, escaped
from stream.baselining.build import (
    BuiltBaseline,
    by_segments,
    constraints_were_edited,
    in_order,
    make,
    write,
)
from stream.baselining.column_warnings import column_warnings
from stream.baselining.joint_features import few_rows_lines, require_pairs
from stream.baselining.row_order import dependence_lines
from stream.baselining.training_data import TrainingData
from stream.commands.baseline_page import print_columns, warning_lines
from stream.commands.season_choice import SeasonOptions
from stream.commands.season_page import print_seasons
from stream.commands.seasonal_baseline import season_notes, training_seasons
from stream.commands.usage import wrong_option
from stream.errors import ColumnsUnknown


class BaselineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command; its help describes them."""

    out: Path
    predictions: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    joint: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    header: bool = True
    force: bool = False
    season: SeasonOptions = SeasonOptions()
    segments: tuple[str, ...] = ()
    most_segments: int = 50


class MadeBaseline(msgspec.Struct, frozen=True):
    """A baseline that was written: what was understood of its data, for :func:`print_made`."""

    built: BuiltBaseline
    notes: tuple[str, ...]
    out: Path


def make_baseline(train: Path, options: BaselineOptions, progress: Progress) -> MadeBaseline:
    """Write the baseline of ``train``.

    Raises ``click.UsageError`` for an option that does not fit the data, and
    :class:`~stream.errors.DataError` for data that cannot be read.
    """
    if not options.force and constraints_were_edited(options.out):
        advice = "choose another folder, or discard the edits with --force"
        message = f"{options.out / 'constraints.json'} was edited: {advice}"
        raise wrong_option("--out", message)
    season = options.season
    if season.time is not None and season.time in options.predictions:
        message = f"{season.time!r} is a prediction; name the column with the time of each row"
        raise wrong_option("--time", message)
    excluded = tuple(dict.fromkeys((*options.exclude, *season.excluded)))
    training = TrainingData(train, options.header, options.columns, excluded)
    found = None
    try:
        built = _built(training, options, progress, train.name)
        rows, time = training, None
        if season.season:
            timed = tuple(name for name in excluded if name not in season.excluded)
            rows = TrainingData(train, options.header, options.columns, timed)
            found = training_seasons(rows, season, built.baseline.layout, progress)
            built = built._replace(baseline=built.baseline.seasonal(found.seasons))
            time = season.time_column
        task = progress.add_task("reading the order of rows", total=rows.size)
        built = in_order(built, rows.chunks(partial(progress.advance, task)), time)
    except ColumnsUnknown as error:
        raise wrong_option(_option_of(error, season), f"{error}{training.hint}") from error
    except BaselineInvalid as error:
        if error.field == "joint":
            raise wrong_option("--joint", error.reason) from error
        if error.field == "segments":
            raise wrong_option("--segment", error.reason) from error
        if error.field != "columns":
            raise
        raise wrong_option("--number", f"columns {error.reason}") from error
    try:
        write(built, options.out)
    except OSError as error:
        raise wrong_option("--out", f"cannot write to {options.out}: {error.strerror}") from error
    notes = (*training.notes, *(season_notes(found, season.time or "") if found else ()))
    return MadeBaseline(built, notes, options.out)


def _option_of(error: ColumnsUnknown, season: SeasonOptions) -> str:
    """The option that names the missing columns: that of the times excludes its column too."""
    is_time = error.purpose == "exclude" and set(error.columns) <= set(season.excluded)
    return "--time" if is_time else f"--{error.purpose}"


def print_made(made: MadeBaseline, console: Console, warnings: Console) -> None:
    """Print the columns and a line about the baseline, and warnings to a console of their own."""
    scans = made.built.scans
    found = column_warnings(scans)
    print_columns(scans, made.built.baseline, found, console)
    for line in (*made.notes, *warning_lines(list(scans), found)):
        warnings.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)
    baseline = made.built.baseline
    for line in dependence_lines(baseline.dependence):
        console.print(f"note: {line}", markup=False, highlight=False, soft_wrap=True)
    if baseline.seasons is not None:
        print_seasons(baseline.seasons, console)
    pairs = [baseline.layout.features[i].name for i in baseline.layout.joint_features]
    if pairs:
        line = f"note: counted in pairs: {', '.join(map(escaped, pairs))}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in few_rows_lines(baseline):
        warnings.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)
    rows = counted(baseline.profile.rows, "row")
    features = counted(len(baseline.layout.features), "feature")
    for each in baseline.layout.segmentations:
        values = counted(len(each.bins), "value")
        console.print(f"segments: {values} of {escaped(each.by)}, and all others", markup=False)
    line = f"{rows}, {features}, fingerprint {baseline.fingerprint}: {made.out}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _built(
    training: TrainingData, options: BaselineOptions, progress: Progress, name: str
) -> BuiltBaseline:
    passes = 2 + (options.joint is not None) + bool(options.segments)
    task = progress.add_task(f"reading {name}", total=passes * training.size)
    chunks = partial(training.chunks, partial(progress.advance, task))
    built = make(
        chunks,
        options.predictions,
        text=options.text,
        numbers=options.numbers,
        missing=options.missing,
        joint=options.joint,
    )
    if options.joint is not None:
        require_pairs(built.baseline.layout, options.joint)
    if not options.segments:
        return built
    return by_segments(built, chunks(), options.segments, options.most_segments)
