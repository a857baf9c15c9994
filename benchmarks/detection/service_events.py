"""Event files of models, and their baselines, as users have them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from benchmarks.detection.driftline_judge import MINUTE_MS
from benchmarks.detection.kinds import KINDS, Values, names_of
from benchmarks.detection.streams import Columns


class WrittenModel(NamedTuple):
    """A model: its name, the kinds of its features, its file of events and its baseline."""

    name: str
    kinds: tuple[str, ...]
    events: Path
    baseline: Path

    def undated(self, columns: Columns) -> list[str]:
        """The lines of some rows, without their beginning, which has the time."""
        cells = [
            _cells(kind, columns[name])
            for name, kind in zip(names_of(self.kinds), self.kinds, strict=True)
        ]
        names = names_of(self.kinds)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
        encode = msgspec.json.Encoder().encode
        return [f',"model":"{self.name}","request":{encode(row).decode()}}}\n' for row in rows]

    def append(self, undated: Sequence[str], at_ms: int) -> None:
        """Write lines that all have one time to the end of the file."""
        if undated:
            with self.events.open("a") as file:
                file.write("".join(f'{{"time":{at_ms}{line}' for line in undated))


def learned(folder: Path, name: str, kinds: tuple[str, ...], history: Columns) -> WrittenModel:
    """A model whose baseline ``driftline baseline`` has learned from its history."""
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        column: pa.array(_cells(kind, history[column]))
        for column, kind in zip(names_of(kinds), kinds, strict=True)
    }
    train, baseline = folder / f"{name}.csv", folder / f"{name}-baseline"
    csv.write_csv(pa.table(table), train)
    command = [sys.executable, "-m", "stream.cli", "baseline", str(train), "--out", str(baseline)]
    subprocess.run(command, check=True, capture_output=True)
    return WrittenModel(name, kinds, folder / f"{name}.jsonl", baseline)


def write_events(model: WrittenModel, windows: Iterable[Columns], start_ms: int, rows: int) -> None:
    """Write windows of a minute, their rows evenly in time."""
    with model.events.open("w") as file:
        for k, columns in enumerate(windows):
            times = start_ms + k * MINUTE_MS + np.arange(rows) * MINUTE_MS // rows
            lines = zip(times.tolist(), model.undated(columns), strict=True)
            file.writelines(f'{{"time":{at_ms}{line}' for at_ms, line in lines)


def _cells(kind: str, values: Values) -> list[str | int | float | None]:
    """The values as events have them: ``None`` for a missing one."""
    words = KINDS[kind].words
    if words:
        return [words[k] if k >= 0 else None for k in values.tolist()]
    cast = int if KINDS[kind].integral else float
    return [None if np.isnan(value) else cast(value) for value in values.tolist()]
