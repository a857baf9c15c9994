"""`driftline baseline`: makes the three files of a baseline from training data."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.progress import Progress

from stream.baselining.build import (
    BuiltBaseline,
    constraints_were_edited,
    make_from_files,
    write,
)
from stream.baselining.training_data import TrainingData
from stream.commands.usage import wrong_option
from stream.errors import ColumnsUnknown


class BaselineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command; its help describes them."""

    out: Path
    predictions: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    header: bool = True
    force: bool = False


def make_baseline(train: Path, options: BaselineOptions, progress: Progress) -> str:
    """Write the baseline of ``train``, and return a line about it.

    Raises ``click.UsageError`` for an option that does not fit the data, and
    :class:`~stream.errors.DataError` for data that cannot be read.
    """
    if not options.force and constraints_were_edited(options.out):
        advice = "choose another folder, or discard the edits with --force"
        message = f"{options.out / 'constraints.json'} was edited: {advice}"
        raise wrong_option("--out", message)
    try:
        built = _built(train, options, progress)
    except ColumnsUnknown as error:
        raise wrong_option(f"--{error.purpose}", str(error)) from error
    try:
        write(built, options.out)
    except OSError as error:
        raise wrong_option("--out", f"cannot write to {options.out}: {error.strerror}") from error
    baseline = built.baseline
    rows = _counted(baseline.profile.rows, "row")
    features = _counted(len(baseline.layout.features), "feature")
    return f"{rows}, {features}, fingerprint {baseline.fingerprint}: {options.out}"


def _built(train: Path, options: BaselineOptions, progress: Progress) -> BuiltBaseline:
    size = 2 * TrainingData(train).size
    task = progress.add_task(f"reading {train.name} twice", total=size)
    return make_from_files(
        train,
        options.predictions,
        header=options.header,
        columns=options.columns,
        exclude=options.exclude,
        progress=lambda count: progress.advance(task, count),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
