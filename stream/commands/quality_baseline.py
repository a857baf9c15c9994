"""`driftline baseline --quality`: makes the quality baseline of answers with their true labels."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from detectors.faults import did_you_mean
from detectors.phrases import counted, number, percent
from detectors.quality.base import Metric
from detectors.quality.config import Problem
from stream.baselining.quality.build import CONFIDENCE, BuiltQuality, make_quality
from stream.baselining.quality.exact_metrics import BEST_CONSTANT, LEAST_ROWS
from stream.baselining.quality.folder import (
    CONSTRAINTS,
    QUALITY,
    STATISTICS,
    quality_constraints_were_edited,
    write_quality,
)
from stream.baselining.quality.rows import PositiveUnknown, QualityColumns, QualityRows, read_rows
from stream.baselining.quality.tables import can_calibrate
from stream.baselining.training_data import TrainingData
from stream.commands.usage import wrong_option, wrong_usage
from stream.errors import ColumnsUnknown

DEFAULT_THRESHOLD: Final = 0.5
DIGITS: Final = 4
"""The significant digits of a metric in the table."""


class QualityOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command; its help describes them."""

    problem: Problem
    out: Path
    label: str | None = None
    prediction: str | None = None
    probability: str | None = None
    threshold: float | None = None
    positive: str | None = None
    missing: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    header: bool = True
    force: bool = False


class MadeQuality(msgspec.Struct, frozen=True):
    """A quality baseline that was written, and the rows that it was made of."""

    built: BuiltQuality
    data: QualityRows
    notes: tuple[str, ...]
    out: Path


def make_quality_baseline(file: Path, options: QualityOptions, progress: Progress) -> MadeQuality:
    """Write the quality baseline of ``file``.

    Raises ``click.UsageError`` for options that do not fit each other or the data, and
    :class:`~stream.errors.DataError` for data that cannot be read.
    """
    _check_options(options)
    if not options.force and quality_constraints_were_edited(options.out):
        advice = "choose another folder, or discard the edits with --force"
        raise wrong_option("--out", f"{options.out / CONSTRAINTS} was edited: {advice}")
    training = TrainingData(file, options.header, options.columns, options.exclude)
    columns = _columns(options)
    task = progress.add_task(f"reading {file.name}", total=training.size)
    try:
        data = read_rows(training, file, columns, lambda size: progress.advance(task, size))
    except ColumnsUnknown as error:
        raise wrong_option(f"--{error.purpose}", f"{error}{training.hint}") from error
    except PositiveUnknown as error:
        near = did_you_mean(error.given, error.names)
        raise wrong_option("--positive", f"{error}{near}") from error
    progress.update(task, description="computing metrics")
    built = make_quality(data, columns)
    try:
        write_quality(built, options.out)
    except OSError as error:
        raise wrong_option("--out", f"cannot write to {options.out}: {error.strerror}") from error
    return MadeQuality(built, data, (*training.notes, *_notes(columns, data, options)), options.out)


def print_quality(made: MadeQuality, console: Console, warnings: Console) -> None:
    """Print the metrics with their intervals and a line about the baseline, and warnings."""
    console.print(_table(made))
    console.print()
    for line in made.notes:
        warnings.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)
    baseline = made.built.baseline
    classes = f", positive class {baseline.positive!r}" if baseline.positive else ""
    files = f"{STATISTICS}, {CONSTRAINTS}, {QUALITY}"
    line = (
        f"{counted(baseline.rows, 'row')}, {baseline.problem}{classes}, fingerprint"
        f" {baseline.fingerprint}: {made.out} ({files})"
    )
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check_options(options: QualityOptions) -> None:
    if not options.label:
        raise click.MissingParameter(
            "It names the column of the true answers.",
            ctx=click.get_current_context(silent=True),
            param_hint="'--label'",
            param_type="option",
        )
    if not options.prediction and (options.problem != "binary" or not options.probability):
        others = " or --probability" if options.problem == "binary" else ""
        raise wrong_usage(f"--quality {options.problem} needs --prediction{others}.")
    if options.problem == "regression" and options.probability:
        raise wrong_usage("--quality regression has no --probability.")
    if options.problem != "binary" and (options.positive or options.threshold is not None):
        name = "--positive" if options.positive else "--threshold"
        raise wrong_usage(f"{name} is for --quality binary.")
    if options.threshold is not None and not options.probability:
        raise wrong_usage("--threshold needs --probability.")
    named = [name for name in (options.label, options.prediction, options.probability) if name]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise wrong_usage(f"column {twice!r} is named by two options.")


def _columns(options: QualityOptions) -> QualityColumns:
    return QualityColumns(
        problem=options.problem,
        label=options.label or "",
        prediction=options.prediction or "",
        probability=options.probability or "",
        threshold=DEFAULT_THRESHOLD if options.threshold is None else options.threshold,
        positive=options.positive or "",
        missing=options.missing,
    )


def _notes(columns: QualityColumns, data: QualityRows, options: QualityOptions) -> list[str]:
    """What a user should know of the rows and of what could not be computed, in sentences."""
    notes = [f"{counted(count, 'row')} {why} left out" for why, count in data.left_out.items()]
    if options.threshold is not None and columns.prediction:
        notes.append("--threshold has no effect: the classes are those of --prediction")
    if len(data) < LEAST_ROWS:
        notes.append(
            f"below {LEAST_ROWS} rows there are no standard deviations, and intervals are wide"
        )
    if columns.problem != "regression" and not columns.probability:
        notes.append("without --probability there is no AUC and no estimate before labels (cbpe)")
    elif columns.problem != "regression" and not can_calibrate():
        notes.append(
            "scikit-learn is not installed, so the scores are not calibrated, which"
            " `estimate: cbpe` needs: pip install 'driftline[quality]'"
        )
    return notes


def _table(made: MadeQuality) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("metric", no_wrap=True)
    for heading in ("value", f"{percent(CONFIDENCE)} interval", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    shown = [m for m in made.built.measured.metrics if not m.name.endswith(BEST_CONSTANT)]
    for metric in shown:
        table.add_row(*_cells(metric, made))
    return table


def _cells(metric: Metric, made: MadeQuality) -> tuple[str, str, str, str]:
    value = made.built.baseline.metrics[metric.name].value
    if value is None:
        return metric.name, "undefined", metric.reason, f"{metric.n:,}"
    interval = ""
    if metric.low is not None and metric.high is not None:
        interval = f"{number(metric.low, DIGITS)} to {number(metric.high, DIGITS)}"
    return metric.name, number(value, DIGITS), interval, f"{metric.n:,}"
