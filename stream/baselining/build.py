"""Training data becomes a baseline: a scan for types and quantiles, then exact counts on the bins
it gave.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.fold import Fold
from detectors.profiles.layout import Layout, Role
from detectors.profiles.profile import Profile
from stream.baselining import sagemaker_files
from stream.baselining.column_scan import ColumnScan
from stream.baselining.training_data import Progress, TrainingData
from stream.errors import ConfigError

FILES = ("statistics.json", "constraints.json", "baseline.msgpack")


class BuiltBaseline(NamedTuple):
    """A baseline with the content of the two files that SageMaker knows."""

    baseline: Baseline
    statistics: dict[str, Any]
    constraints: dict[str, Any]


def make(
    chunks: Callable[[], Iterable[pa.Table]], predictions: Sequence[str] = ()
) -> BuiltBaseline:
    """The baseline of some rows, which are gone through twice. ``predictions`` name the columns of
    the endpoint's answer.

    A column without any value gets no bins; it stays in ``columns``, so that positions keep their
    meaning. Raises ``BaselineInvalid`` if there are no rows or a named prediction is not among the
    columns.
    """
    scans = _scan(chunks())
    if not any(scan.rows for scan in scans.values()):
        raise BaselineInvalid("rows", "the training data has none")
    lost = [name for name in predictions if name not in scans]
    if lost:
        raise BaselineInvalid(
            "predictions", f"no column {', '.join(lost)}; there are {', '.join(scans)}"
        )
    layout = _layout(scans, predictions)
    profile = Profile(layout)
    fold = Fold([layout])
    for chunk in chunks():
        profile.merge(_count(fold, layout, chunk))
    profile.novel.clear()
    written = sagemaker_files.constraints(scans)
    baseline = Baseline(layout, profile, sagemaker_files.read_constraints(written), tuple(scans))
    return BuiltBaseline(baseline, sagemaker_files.statistics(scans), written)


def _scan(chunks: Iterable[pa.Table]) -> dict[str, ColumnScan]:
    """One look at all rows; a column that some chunks lack is missing there."""
    scans: dict[str, ColumnScan] = {}
    rows = 0
    for chunk in chunks:
        for name in chunk.column_names:
            if name not in scans:
                scans[name] = ColumnScan()
                scans[name].pad(rows)
            scans[name].add(_one(chunk[name]))
        rows += chunk.num_rows
        for scan in scans.values():
            scan.pad(rows)
    return scans


def write(made: BuiltBaseline, folder: Path) -> None:
    """Write ``statistics.json``, ``constraints.json`` and ``baseline.msgpack``.

    All three lie complete beside their places before the first takes it: a full disk leaves the
    folder as it was. Raises ``ConfigError`` if that cannot be.
    """
    try:
        _replace(made, folder)
    except OSError as error:
        raise ConfigError(
            "--out", "a folder that can be written to", f"{folder}: {error.strerror}"
        ) from error


def _replace(made: BuiltBaseline, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    contents = (_json(made.statistics), _json(made.constraints), made.baseline.encode())
    written: dict[str, Path] = {}
    try:
        for name, content in zip(FILES, contents, strict=True):
            written[name] = _aside(folder, name, content)
        for name, path in written.items():
            path.replace(folder / name)
    finally:
        for path in written.values():
            path.unlink(missing_ok=True)


def refuse_edited(folder: Path) -> None:
    """Raise ``ConfigError`` if the folder's ``constraints.json`` says anything else than its
    baseline: somebody has edited it.
    """
    try:
        said, made = (
            load_baseline(folder).constraints,
            Baseline.decode((folder / FILES[2]).read_bytes()).constraints,
        )
    except (BaselineInvalid, OSError):
        return
    if said != made:
        edited = (
            f"edits in {folder / FILES[1]}. Choose another folder, or give them up with --force"
        )
        raise ConfigError("--out", "a folder without edited constraints", edited)


def _aside(folder: Path, name: str, content: bytes) -> Path:
    """A new file with this content in the folder, under a name of its own."""
    number, path = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(number, 0o644)
            os.fsync(number)
    except BaseException:
        Path(path).unlink()
        raise
    return Path(path)


def make_from_files(
    path: Path,
    predictions: Sequence[str] = (),
    *,
    header: bool = True,
    columns: Sequence[str] = (),
    exclude: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> BuiltBaseline:
    """The baseline of a training file or folder; see
    :class:`stream.baselining.training_data.TrainingData` for what is read.
    """
    training = TrainingData(path, header, columns, exclude)
    return make(lambda: training.chunks(progress), predictions)


def load_baseline(folder: Path) -> Baseline:
    """The baseline in a folder; what its ``constraints.json`` says goes before what
    ``baseline.msgpack`` says.

    Raises ``BaselineInvalid`` if a file is missing or damaged, or if the constraints name a feature
    that has no column.
    """
    try:
        baseline = Baseline.decode((folder / FILES[2]).read_bytes())
    except OSError as error:
        advice = "make it with `driftline baseline TRAIN --out FOLDER`"
        raise BaselineInvalid(str(folder / FILES[2]), f"{error.strerror}; {advice}") from error
    path = folder / FILES[1]
    if not path.exists():
        return baseline
    try:
        constraints = sagemaker_files.read_constraints(json.loads(path.read_text()))
    except OSError as error:
        raise BaselineInvalid(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        raise BaselineInvalid(str(path), f"not JSON ({error})") from error
    except BaselineInvalid as error:
        raise BaselineInvalid(str(path), error.reason) from error
    unknown = sorted(set(constraints.features) - set(baseline.columns))
    if unknown:
        raise BaselineInvalid(
            str(path), f"constraints for {', '.join(unknown)}, which the baseline does not have"
        )
    return Baseline(baseline.layout, baseline.profile, constraints, baseline.columns)


def learn(
    known: Baseline | None,
    tables: Sequence[pa.Table],
    outputs: Sequence[str],
    inputs: Sequence[str],
) -> Baseline:
    """The baseline of a model after some of its own events: columns that ``known`` lacks are
    learned from ``tables``.

    ``tables`` hold text columns. Columns in ``outputs`` get the role prediction. What is known
    stays as it is.
    """
    before = known.columns if known else ()
    order = tuple(name for name in (*outputs, *inputs) if name not in before)
    new = [table.select([name for name in order if name in table.column_names]) for table in tables]
    fresh = make(lambda: new, _named(outputs, new)).baseline
    if known is None or not before:
        return Baseline(fresh.layout, fresh.profile, fresh.constraints, order)
    return _joined(known, fresh, (*before, *order))


def learn_from_samples(
    known: Baseline,
    samples: Sequence[bytes],
    rows: int,
    outputs: Sequence[str],
    inputs: Sequence[str],
) -> Baseline:
    """:func:`learn` from the first ``rows`` rows of Arrow IPC streams, as partials carry them."""
    tables, left = list[pa.Table](), rows
    for table in (pa.ipc.open_stream(data).read_all() for data in samples):
        tables.append(table.slice(0, left))
        left -= tables[-1].num_rows
    return learn(known if known.columns else None, tables, outputs, inputs)


def empty_baseline() -> Baseline:
    """The baseline of a model that is still being learned: it counts rows and nothing else."""
    layout = Layout(())
    return Baseline(layout, Profile(layout), Constraints(), ())


def _named(outputs: Sequence[str], tables: Sequence[pa.Table]) -> list[str]:
    return [name for name in outputs if any(name in table.column_names for table in tables)]


def _joined(known: Baseline, fresh: Baseline, columns: tuple[str, ...]) -> Baseline:
    layout = Layout((*known.layout.features, *fresh.layout.features))
    profile, sides = Profile(layout), (known.profile, fresh.profile)
    profile.rows = max(side.rows for side in sides)
    profile.counts = np.concatenate([side.counts for side in sides])
    profile.sums = np.concatenate([side.sums for side in sides])
    profile.low, profile.high = (
        np.concatenate([getattr(side, name) for side in sides]) for name in ("low", "high")
    )
    features = {**known.constraints.features, **fresh.constraints.features}
    return Baseline(layout, profile, Constraints(features, known.constraints.thresholds), columns)


def _layout(scans: dict[str, ColumnScan], predictions: Sequence[str]) -> Layout:
    def role(name: str) -> Role:
        return "prediction" if name in predictions else "feature"

    features = (scan.feature(name, role(name)) for name, scan in scans.items())
    return Layout(tuple(feature for feature in features if feature is not None))


def _count(fold: Fold, layout: Layout, chunk: pa.Table) -> Profile:
    if not chunk.num_rows:
        return Profile(layout)
    columns: dict[str, Column] = {}
    for feature in layout.features:
        if feature.name in chunk.column_names:
            text = _one(chunk[feature.name])
            columns[feature.name] = (
                numbers_from_text(text, feature.type == "Integral")
                if feature.numeric
                else Texts(text)
            )
    return fold.fold(columns, [0], np.array([0, chunk.num_rows]))[0]


def _one(column: pa.ChunkedArray) -> pa.StringArray:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _json(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
