"""One leg of the core benchmark: ``python -m benchmarks.core_leg NAME FOLDER``.

Prints ``{"events": ..., "cells": ..., "seconds": ...}`` of the second, warm pass over the events.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks import floor
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.baselining.columns import ModelColumns
from stream.baselining.joint_features import with_levels
from stream.events import Assign, ModelKey, RawBatch
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.prediction_rules import PredictionColumns, PredictionRules
from stream.readers.reader import Reader
from stream.testing.records import raw_batch
from tests.support import events
from tests.support.records import NoSource, job_settings

ARRIVAL_MS = 4_000_000_000_000
ARROW = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
SETTINGS = job_settings(lateness_ms=600_000)
EVENTS_OF = {"f": "d", "labels": "d", "values": "d", "values200": "wide200", "joint": "d"}
"""The legs that have the events of another one."""
SCORE = PredictionColumns(problem="binary", probability="score", positive="1", negative="0")


class Batch(msgspec.Struct):
    """The events of a leg: lines, and the model of each line; without ``models`` there is one
    model.
    """

    lines: list[bytes]
    models: list[bytes]
    width: int


def floor_leg(folder: Path) -> Callable[[], int]:
    """The floor leg on the standard events."""
    data = _load(folder, "d")
    baseline = _baselines(folder)[0]
    names = [*events.OUTPUTS, *events.INPUTS]
    types = {name: ARROW[events.TYPES[name]] for name in names}
    edges = {
        feature.name: np.array(feature.edges)
        for feature in baseline.layout.features
        if feature.numeric
    }

    def run() -> int:
        for start in range(0, len(data.lines), 5_000):
            floor.count(data.lines[start : start + 5_000], names, types, edges)
        return len(data.lines)

    return run


def driftline_leg(folder: Path, name: str) -> Callable[[], int]:
    """A leg from bytes to merged counts, with everything on: envelope, guards, marks, lateness,
    panes, dead letters, moments. In the leg ``labels`` all predictions wait for labels, too; in the
    legs ``values`` and ``values200`` profiles keep the distinct values; in the leg ``joint`` all
    features are counted in pairs.
    """
    data = _load(folder, EVENTS_OF.get(name, name))
    models = sorted({key.decode() for key in data.models} or {"m"})
    baselines = _baselines(folder, data.width)
    layouts = _layouts(baselines, len(models))
    if name == "joint":
        layouts = [with_levels(layout, baselines[0].profile, ()) for layout in layouts]
    plain = name == "plain"
    form = Json(id="id") if plain else Sagemaker()
    source = NameConfig(source="key") if data.models else NameConfig(name="m")
    origin = IdentityConfig(source, NameConfig(name="v"), TimeConfig(unit="ms" if plain else "iso"))
    reader = Reader(NoSource(), form, origin, SETTINGS)
    named = {
        name: ModelColumns(*_columns(layout), layout)
        for name, layout in zip(models, layouts, strict=True)
    }
    waiting = PredictionRules(dict.fromkeys(models, SCORE), None, 1.0)
    labelled = waiting if name == "labels" else None
    reader.use(ReadingPlan(named, form, labelled, keep_values=name.startswith("values")))
    raws = _raw_batches(data, reader.max_records)

    def run() -> int:
        reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
        panes: dict[tuple[ModelKey, int], Profile] = {}
        for raw in raws:
            _merge(panes, reader.fold([raw]).profiles)
        return sum(profile.rows for profile in panes.values())

    return run


def _merge(
    panes: dict[tuple[ModelKey, int], Profile], profiles: Sequence[tuple[ModelKey, int, Profile]]
) -> None:
    for key, pane_ms, profile in profiles:
        if (key, pane_ms) in panes:
            panes[key, pane_ms].merge(profile)
        else:
            panes[key, pane_ms] = profile


def _columns(layout: Layout) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = [feature.name for feature in layout.features]
    return events.OUTPUTS, tuple(name for name in names if name not in events.OUTPUTS)


def _raw_batches(data: Batch, records: int) -> list[RawBatch]:
    return [
        raw_batch(
            [*data.lines[start : start + records]],
            first=start,
            arrival_ms=ARRIVAL_MS,
            keys=[*data.models[start : start + records]],
        )
        for start in range(0, len(data.lines), records)
    ]


def _load(folder: Path, name: str) -> Batch:
    return msgspec.msgpack.decode((folder / f"{name}.msgpack").read_bytes(), type=Batch)


def _baselines(folder: Path, width: int = 20) -> list[Baseline]:
    return [
        Baseline.decode(path.read_bytes())
        for path in sorted(folder.glob(f"baseline-{width}-*.msgpack"))
    ]


def _layouts(baselines: Sequence[Baseline], models: int) -> list[Layout]:
    """A layout for each model; layouts of one baseline differ only in the center of the first
    feature.
    """
    layouts = []
    for k in range(models):
        features = baselines[k % len(baselines)].layout.features
        first = msgspec.structs.replace(features[0], center=features[0].center + k * 1e-9)
        layouts.append(Layout((first, *features[1:])))
    return layouts


def main() -> None:
    """Run the leg twice and print the figures of the second run."""
    name = sys.argv[1]
    folder = Path(sys.argv[2])
    pa.set_cpu_count(1)
    run = floor_leg(folder) if name == "f" else driftline_leg(folder, name)
    run()
    gc.collect()
    gc.freeze()  # as the service does: collections do not visit what imports have made
    start = time.perf_counter()
    count = run()
    seconds = time.perf_counter() - start
    cells = count * _load(folder, EVENTS_OF.get(name, name)).width
    print(json.dumps({"events": count, "cells": cells, "seconds": seconds}))


if __name__ == "__main__":
    main()
