"""`driftline baseline RESULTS`: makes a baseline of the files of SageMaker Model Monitor."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from stream.baselining.build import constraints_were_edited
from stream.baselining.files import write_files
from stream.baselining.monitor_folder import (
    CONSTRAINTS,
    COUNTS,
    STATISTICS,
    MonitoredBaseline,
    is_monitor_folder,
    monitored,
    suggested,
)
from stream.baselining.monitor_s3 import SCHEME, fetch, s3_folder
from stream.commands.usage import wrong_option
from stream.errors import ColumnsUnknown, ConfigError, DataError

NO_PREDICTION = (
    "these files do not say which columns are the model's response: name them with --prediction, or"
    " as `outputs` of the model in the configuration"
)
NO_CONSTRAINTS = "there is no constraints.json: written is the one that SageMaker suggests for it"


class MonitorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command; its help describes them."""

    out: Path
    predictions: tuple[str, ...] = ()
    force: bool = False
    region: str = ""
    endpoint_url: str = ""


class WrittenBaseline(msgspec.Struct, frozen=True):
    """A baseline that was written, for :func:`print_written`."""

    baseline: Baseline
    notes: tuple[str, ...]
    out: Path


def write_monitored(train: str, options: MonitorOptions, progress: Progress) -> WrittenBaseline:
    """Write the baseline of a folder with ``statistics.json``, here or in S3.

    Both files of SageMaker are copied unchanged, beside ``baseline.msgpack``. Raises
    ``click.UsageError`` for an option that does not fit, :class:`~stream.errors.DataError` for a
    folder that cannot be read, and :class:`~stream.errors.ConfigError` with all faults of a file.
    """
    if (Path(train) / COUNTS).exists():
        advice = "a baseline of driftline already: name it as `baseline` of a model"
        raise DataError(train, f"is {advice}")
    is_here = not train.startswith(SCHEME)
    same = is_here and Path(train).resolve() == options.out.resolve()
    if not same and not options.force and _holds_edits(options.out):
        message = (
            f"{options.out / CONSTRAINTS} was edited, or is not from here: choose another folder,"
            " or discard it with --force"
        )
        raise wrong_option("--out", message)
    if is_here:
        return _written(Path(train), train, options)
    folder = s3_folder(train)
    with tempfile.TemporaryDirectory(prefix="driftline-") as name:
        task = progress.add_task(f"reading {folder.uri}", total=None)
        fetch(
            folder,
            Path(name),
            options.region,
            options.endpoint_url,
            lambda file: progress.update(task, description=f"reading {folder.uri}{file}"),
        )
        return _written(Path(name), folder.uri, options)


def _holds_edits(out: Path) -> bool:
    return is_monitor_folder(out) or constraints_were_edited(out)


def _written(folder: Path, named: str, options: MonitorOptions) -> WrittenBaseline:
    try:
        made = monitored(folder, options.predictions)
    except ConfigError as error:
        file = f"{named.rstrip('/')}/{Path(error.file).name}"
        raise ConfigError(error.faults, file) from None
    columns = made.baseline.columns
    if unknown := [name for name in options.predictions if name not in columns]:
        message = str(ColumnsUnknown(named, "predictions", unknown, columns))
        raise wrong_option("--prediction", message)
    given = {
        name: (folder / name).read_bytes()
        for name in (STATISTICS, CONSTRAINTS)
        if (folder / name).exists()
    }
    contents = given if CONSTRAINTS in given else suggested(folder) | given
    contents |= {COUNTS: made.baseline.encode()}
    try:
        write_files(options.out, contents)
    except OSError as error:
        message = f"cannot write to {options.out}: {error.strerror}"
        raise wrong_option("--out", message) from error
    return WrittenBaseline(made.baseline, _notes(made, options.predictions, given), options.out)


def _notes(
    made: MonitoredBaseline, predictions: Sequence[str], given: dict[str, bytes]
) -> tuple[str, ...]:
    without = () if predictions else (NO_PREDICTION,)
    return (*made.notes, *without, *(() if CONSTRAINTS in given else (NO_CONSTRAINTS,)))


def print_written(made: WrittenBaseline, console: Console, warnings: Console) -> None:
    """Print a line about the baseline, and warnings to a console of their own."""
    for note in made.notes:
        warnings.print(f"warning: {note}", markup=False, highlight=False, soft_wrap=True)
    baseline = made.baseline
    types = Counter(feature.type for feature in baseline.layout.features)
    listed = ", ".join(f"{count} {kind}" for kind, count in types.most_common())
    rows = counted(baseline.profile.rows, "row")
    features = counted(len(baseline.layout.features), "feature")
    line = f"{rows}, {features} ({listed}), fingerprint {baseline.fingerprint}: {made.out}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
