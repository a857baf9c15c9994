"""Makes a baseline from training data: scans types and quantiles, then counts on the bins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.fold import Fold
from detectors.profiles.layout import Feature, Layout, Role
from detectors.profiles.profile import Profile
from detectors.profiles.segments import segmentation_of
from detectors.sagemaker.constraints import constraints as suggested_constraints
from detectors.sagemaker.references import references
from stream.baselining import sagemaker_files
from stream.baselining.chunk_columns import chunk_columns, combined
from stream.baselining.column_nature import nature_of
from stream.baselining.column_scan import Choice, ColumnScan
from stream.baselining.constraints_file import load_constraints, read_constraints
from stream.baselining.files import json_bytes, write_files
from stream.baselining.joint_features import require_pairs, with_levels
from stream.baselining.monitor_folder import is_monitor_folder, monitored
from stream.baselining.row_order import dependence_of
from stream.baselining.seasonal import TimeColumn
from stream.baselining.training_data import Progress, TrainingData
from stream.baselining.value_format import with_format
from stream.errors import ColumnsUnknown, ConfigError

FILES = ("statistics.json", "constraints.json", "baseline.msgpack")


class BuiltBaseline(NamedTuple):
    """A baseline, the content of the two files of SageMaker Model Monitor, and the scans."""

    baseline: Baseline
    statistics: dict[str, Any]
    constraints: dict[str, Any]
    scans: dict[str, ColumnScan]


def make(
    chunks: Callable[[], Iterable[pa.Table]],
    predictions: Sequence[str] = (),
    *,
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
    missing: Sequence[str] | None = None,
    joint: Sequence[str] | None = None,
) -> BuiltBaseline:
    """Make the baseline of the rows in ``chunks``, which are read twice; with ``joint`` thrice.

    ``predictions`` names the columns of the model's response, ``text`` and ``numbers`` those whose
    kind is not to be inferred. ``missing`` are the texts that count as missing, ``None`` for those
    of :mod:`detectors.profiles.reading`; the baseline stores them, and events are read with them.
    The type of a column without any value is ``Unknown``: a later value in it is a violation.
    ``joint`` names the features that are counted in pairs, see
    :func:`stream.baselining.joint_features.with_levels`.

    Raises ``BaselineInvalid`` if there are no rows, if a column is in both ``text`` and
    ``numbers``, or if one of ``numbers`` has no number; :class:`~stream.errors.ColumnsUnknown` if
    there is no column of a name.
    """
    both = sorted(set(text) & set(numbers))
    if both:
        raise BaselineInvalid("columns", f"both text and numbers: {', '.join(map(repr, both))}")
    scans = _scan(chunks(), lambda name: ColumnScan(_choice(name, text, numbers), missing))
    if not any(scan.rows for scan in scans.values()):
        raise BaselineInvalid("rows", "the training data has none")
    for purpose, names in (("predictions", predictions), ("text", text), ("number", numbers)):
        if unknown := [name for name in names if name not in scans]:
            raise ColumnsUnknown("training data", purpose, unknown, list(scans))
    if without := [name for name in numbers if not scans[name].finite]:
        raise BaselineInvalid(
            "columns",
            f"without a single number, but chosen as numbers: {', '.join(map(repr, without))}",
        )
    layout = _layout(scans, predictions)
    profile = _counted(layout, chunks())
    if joint is not None:
        layout = with_levels(layout, profile, joint)
        profile = _counted(layout, chunks())
    statistics = sagemaker_files.statistics(scans)
    written = _without_dates(suggested_constraints(statistics), layout)
    constraints = read_constraints(written, layout, tuple(scans))
    baseline = Baseline(layout, profile, constraints, tuple(scans), references(statistics))
    return BuiltBaseline(baseline, msgspec.to_builtins(statistics), written, scans)


def _counted(layout: Layout, chunks: Iterable[pa.Table]) -> Profile:
    """The counts of all rows, without samples of new values: all values are known."""
    profile = Profile(layout)
    fold = Fold([layout])
    for chunk in chunks:
        profile.merge(_count(fold, layout, chunk))
    profile.samples.clear()
    return profile


def _without_dates(constraints: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """The constraints without the domains of dates: later ones are not among them."""
    dates = {feature.name for feature in layout.features if feature.nature == "time"}
    for constraint in constraints["features"]:
        if constraint["name"] in dates:
            constraint.pop("string_constraints", None)
    return constraints


def _choice(name: str, text: Sequence[str], numbers: Sequence[str]) -> Choice | None:
    if name in text:
        return "text"
    return "number" if name in numbers else None


def _scan(
    chunks: Iterable[pa.Table], new_scan: Callable[[str], ColumnScan]
) -> dict[str, ColumnScan]:
    """Scan all rows once; a column is missing in chunks that do not have it."""
    scans: dict[str, ColumnScan] = {}
    rows = 0
    for chunk in chunks:
        for name in chunk.column_names:
            if name not in scans:
                scans[name] = new_scan(name)
                scans[name].pad(rows)
            scans[name].add(combined(chunk[name]))
        rows += chunk.num_rows
        for scan in scans.values():
            scan.pad(rows)
    return scans


def write(built: BuiltBaseline, folder: Path) -> None:
    """Write ``statistics.json``, ``constraints.json`` and ``baseline.msgpack``.

    See :func:`stream.baselining.files.write_files`. Raises ``OSError`` if they cannot be written.
    """
    contents = (json_bytes(built.statistics), json_bytes(built.constraints))
    files = (*contents, built.baseline.encode())
    write_files(folder, dict(zip(FILES, files, strict=True)))


def constraints_were_edited(folder: Path) -> bool:
    """Return whether the folder's ``constraints.json`` was edited after its baseline was written.

    True if it cannot be used as it is, and for the files of SageMaker Model Monitor; false if the
    folder holds no baseline.
    """
    if is_monitor_folder(folder):
        return True
    try:
        edited = load_baseline(folder).constraints
        written = Baseline.decode((folder / FILES[2]).read_bytes()).constraints
    except ConfigError:
        return True
    except (BaselineInvalid, OSError):
        return False
    return edited != written


def make_from_files(
    path: Path,
    predictions: Sequence[str] = (),
    *,
    header: bool = True,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
    missing: Sequence[str] | None = None,
    joint: Sequence[str] | None = None,
    progress: Progress = lambda _: None,
) -> BuiltBaseline:
    """Make the baseline of a training file or folder, see :func:`make`.

    The order of its rows tells how far they depend on each other; for that they are read once more.
    See :class:`stream.baselining.training_data.TrainingData` for what is read, and for the errors.
    """
    training = TrainingData(path, header, columns, exclude)
    chunks = partial(training.chunks, progress)
    kinds = {"text": text, "numbers": numbers}
    built = make(chunks, predictions, **kinds, missing=missing, joint=joint)
    if joint is not None:
        require_pairs(built.baseline.layout, joint)
    return in_order(built, training.chunks())


def in_order(
    built: BuiltBaseline, chunks: Iterable[pa.Table], time: TimeColumn | None = None
) -> BuiltBaseline:
    """The same baseline with the dependence of its rows, which ``chunks`` hold in their order.

    ``time``: the column by which the baseline's seasons were counted; see
    :func:`stream.baselining.row_order.dependence_of`.
    """
    dependence = dependence_of(chunks, built.baseline, time)
    return built._replace(baseline=built.baseline.depending(dependence))


def by_segments(
    built: BuiltBaseline, chunks: Iterable[pa.Table], columns: Sequence[str], most: int
) -> BuiltBaseline:
    """The same baseline with the counts of the ``most`` most frequent values of these columns.

    ``chunks`` hold its rows. Raises :class:`~stream.errors.ColumnsUnknown` for a column that there
    is not, and ``BaselineInvalid`` for one that has no values that return.
    """
    known = built.baseline
    if unknown := [name for name in columns if name not in known.layout.index]:
        raise ColumnsUnknown("training data", "segment", unknown, list(known.layout.index))
    counts = known.profile.counts
    chosen = [segmentation_of(known.layout, counts, by, most) for by in dict.fromkeys(columns)]
    layout = Layout(known.layout.features, tuple(chosen))
    profile = _counted(layout, chunks)
    divided = Baseline(
        layout, profile, known.constraints, known.columns, known.references, known.dependence
    )
    return built._replace(baseline=divided)


def load_baseline(
    folder: Path, predictions: Collection[str] = (), with_references: bool = True
) -> Baseline:
    """Read the baseline in a folder.

    ``constraints.json`` takes precedence over the constraints in ``baseline.msgpack``. A folder of
    SageMaker Model Monitor without that file is a baseline by its ``statistics.json``, see
    :func:`stream.baselining.monitor_folder.monitored`; ``predictions`` are then the columns of the
    model's response, of which those files say nothing. Without ``with_references`` it has none,
    and cannot give SageMaker's distance.

    Raises ``BaselineInvalid`` if that file is missing or damaged, and
    :class:`~stream.errors.ConfigError` with all faults of the JSON files.
    """
    if is_monitor_folder(folder):
        baseline = monitored(folder, predictions).baseline
        return baseline if with_references else baseline.referenced({})
    file, advice = str(folder / FILES[2]), "make it with `driftline baseline TRAIN --out FOLDER`"
    try:
        baseline = Baseline.decode((folder / FILES[2]).read_bytes(), with_references)
    except OSError as error:
        raise BaselineInvalid(file, f"{error.strerror}; {advice}") from error
    except BaselineInvalid as error:
        raise BaselineInvalid(file, f"{error.field}: {error.reason}; {advice}") from error
    path = folder / FILES[1]
    if not path.exists():
        return baseline
    return baseline.constrained(load_constraints(path, baseline.layout, baseline.columns))


def learn(
    known: Baseline | None,
    tables: Sequence[pa.Table],
    outputs: Sequence[str],
    inputs: Sequence[str],
    joint: Sequence[str] | None = None,
) -> Baseline:
    """Learn the columns that ``known`` lacks from a model's own events, and return the baseline.

    ``tables`` hold text columns. Columns in ``outputs`` get the role prediction. The columns of
    ``known`` stay as they are, and so do its pairs; without any, those of ``joint`` are counted,
    see :func:`make`.
    """
    before = known.columns if known else ()
    order = tuple(name for name in (*outputs, *inputs) if name not in before)
    new = [table.select([name for name in order if name in table.column_names]) for table in tables]
    is_whole = known is None or not before
    fresh = make(lambda: new, _named(outputs, new), joint=joint if is_whole else None).baseline
    if known is None or not before:
        return Baseline(fresh.layout, fresh.profile, fresh.constraints, order, fresh.references)
    return _joined(known, fresh, (*before, *order))


def learn_from_samples(
    known: Baseline,
    samples: Sequence[bytes],
    outputs: Sequence[str],
    inputs: Sequence[str],
    joint: Sequence[str] | None = None,
) -> Baseline:
    """Learn as :func:`learn` does, from the samples of partials (Arrow IPC streams)."""
    tables = [pa.ipc.open_stream(sample).read_all() for sample in samples]
    return learn(known if known.columns else None, tables, outputs, inputs, joint)


def empty_baseline() -> Baseline:
    """Return the baseline of a model that is still being learned; it only counts rows."""
    layout = Layout(())
    return Baseline(layout, Profile(layout), Constraints(), ())


def _named(outputs: Sequence[str], tables: Sequence[pa.Table]) -> list[str]:
    return [name for name in outputs if any(name in table.column_names for table in tables)]


def _joined(known: Baseline, fresh: Baseline, columns: tuple[str, ...]) -> Baseline:
    layout = Layout((*known.layout.features, *fresh.layout.features))
    sides = (known.profile, fresh.profile)
    profile = Profile(layout)
    profile.rows = max(side.rows for side in sides)
    profile.counts = np.concatenate([side.counts for side in sides])
    profile.sums = np.concatenate([side.sums for side in sides])
    profile.pairs = known.profile.pairs.copy()
    profile.low = np.concatenate([side.low for side in sides])
    profile.high = np.concatenate([side.high for side in sides])
    features = {**known.constraints.features, **fresh.constraints.features}
    constraints = Constraints(features, known.constraints.thresholds)
    known_references = known.references | fresh.references
    return Baseline(layout, profile, constraints, columns, known_references, known.dependence)


def _layout(scans: dict[str, ColumnScan], predictions: Sequence[str]) -> Layout:
    def role(name: str) -> Role:
        return "prediction" if name in predictions else "feature"

    def feature(name: str, scan: ColumnScan) -> Feature:
        return with_format(scan.feature(name, role(name)), scan, nature_of(scan, role(name)))

    return Layout(tuple(feature(name, scan) for name, scan in scans.items()))


def _count(fold: Fold, layout: Layout, chunk: pa.Table) -> Profile:
    if not chunk.num_rows:
        return Profile(layout)
    columns = chunk_columns(chunk, layout)
    return fold.fold(columns, [0], np.array([0, chunk.num_rows]))[0]
