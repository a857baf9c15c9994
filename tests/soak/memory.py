"""Ten models of 200 features in panes of five seconds, ten minutes of lateness: how much memory."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stream.baselining import build as baselining
from stream.telemetry.log_setup import LogSetup
from tests.soak.clockwork import START_MS, live, slope, told_by

MODELS, FEATURES, PANE_MS = 10, 200, 5_000
WINDOWS = 1_000
WARM = 150
"""From then on ten minutes of panes are kept, and each that comes lets one go."""
LIMIT_MB = 400.0


def names() -> list[str]:
    """The features of each model."""
    return [f"f{k}" for k in range(FEATURES)]


def pane(step: int) -> list[bytes]:
    """Two events of each model in each pane, and one that is five minutes late: it changes a pane
    that is in the store."""
    rng = np.random.default_rng(step)
    at_ms = START_MS + step * PANE_MS + 1_000
    lines = []
    for model in range(MODELS):
        for late_ms in (0, 0, *((300_000,) if model == step % MODELS and step > 60 else ())):
            cells = ",".join(
                f'"{name}":{x:.4f}'
                for name, x in zip(names(), rng.normal(0, 1, FEATURES).tolist(), strict=True)
            )
            lines.append(f'{{"time":{at_ms - late_ms},"model":"m{model}",{cells}}}'.encode())
    return lines


def learn(folder: Path) -> dict[str, object]:
    """Make the baseline; in a process of its own, since its memory is not what is measured."""
    rng = np.random.default_rng(1)
    table = pa.table(
        {name: [repr(x) for x in rng.normal(0, 1, 5_000).tolist()] for name in names()}
    )
    made = baselining.make(lambda: [table], ())
    baselining.write(made, folder / "baseline")
    return {"features": len(made.baseline.layout.features)}


def config() -> dict[str, Any]:
    """The service with a sink that takes everything."""
    return {
        "job": "memory",
        "format": {"type": "json"},
        "time": {"unit": "ms"},
        "model": {"from": "path", "name": "model"},
        "models": {f"m{k}": {"baseline": "baseline"} for k in range(MODELS)},
        "window": "60s",
        "every": "5s",
        "sinks": [{"type": "jsonl", "path": "reports"}, {"type": "prometheus"}],
    }


def lived(windows: int, folder: Path) -> dict[str, object]:
    """The figures of so many windows a model."""

    def made(step: int) -> list[bytes]:
        if step % 50 == 0:
            for path in (folder / "reports").glob("*"):
                path.write_bytes(b"")  # what they hold is not what is measured here
        return pane(step)

    code, seen = live(folder, config(), made, windows, PANE_MS, max(windows // 50, 1))
    warm = [one for one in seen if one.step >= WARM][:-1]
    return {
        "windows": windows,
        "models": MODELS,
        "features": FEATURES,
        "exit_code": code,
        "seconds": round(seen[-1].seconds, 1),
        "rss_mb": {one.step: round(one.rss_mb) for one in seen[:: max(len(seen) // 10, 1)]},
        "rss_mb_most": round(max(one.rss_mb for one in seen), 1),
        "rss_growth_mb": round(slope(warm, "rss_mb"), 1),
        "file_mb_most": round(max(one.file_mb for one in seen), 1),
        "panes_most": max(one.tables["panes"] for one in seen),
        "outbox_most": max(one.tables["outbox"] for one in seen),
    }


def run(windows: int = WINDOWS) -> dict[str, object]:
    """The figures, measured in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="driftline-memory-") as place:
        told_by("tests.soak.memory", "baseline", place)
        return told_by("tests.soak.memory", str(windows), place)


if __name__ == "__main__":
    LogSetup("info").set_up()  # if it ends badly, the last lines are told
    what, where = sys.argv[1], Path(sys.argv[2])
    sys.stdout.write(
        json.dumps(learn(where) if what == "baseline" else lived(int(what), where)) + "\n"
    )
