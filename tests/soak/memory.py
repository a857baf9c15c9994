"""Memory of ten models of 200 features, in panes of five seconds, with ten minutes of lateness."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stream.telemetry.log_setup import LogSetup
from tests.soak.clockwork import START_MS, growth, live, measured_by
from tests.support import jobs

MODELS = 10
FEATURES = 200
PANE_MS = 5_000
WINDOWS = 1_000
WARM = 150
"""From this window on, ten minutes of panes are kept, and each new pane releases one."""
LIMIT_MB = 500.0
NAMES = [f"f{k}" for k in range(FEATURES)]


def pane(step: int) -> list[bytes]:
    """Two events of each model in each pane, and an event that is five minutes late, which changes
    a stored pane.
    """
    rng = np.random.default_rng(step)
    at_ms = START_MS + step * PANE_MS + 1_000
    lines = []
    for model in range(MODELS):
        late = [300_000] if model == step % MODELS and step > 60 else []
        for late_ms in (0, 0, *late):
            values = rng.normal(0, 1, FEATURES).tolist()
            cells = ",".join(
                f'"{name}":{value:.4f}' for name, value in zip(NAMES, values, strict=True)
            )
            lines.append(f'{{"time":{at_ms - late_ms},"model":"m{model}",{cells}}}'.encode())
    return lines


def learn(folder: Path) -> dict[str, object]:
    """Learn the baseline, in a process of its own because its memory is not measured."""
    rng = np.random.default_rng(1)
    columns = {name: [repr(value) for value in rng.normal(0, 1, 5_000).tolist()] for name in NAMES}
    jobs.learn_from(columns, (), folder)
    return {"features": len(columns)}


def config() -> dict[str, Any]:
    """The configuration, with a sink that never fails."""
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


def measure(windows: int, folder: Path) -> dict[str, object]:
    """The figures of this many windows of each model."""

    def records(step: int) -> list[bytes]:
        if step % 50 == 0:
            for path in (folder / "reports").glob("*"):
                path.write_bytes(b"")  # the size of the reports is not measured
        return pane(step)

    code, figures = live(folder, config(), records, windows, PANE_MS, max(windows // 50, 1))
    warm = [figure for figure in figures if figure.step >= WARM][:-1]
    shown = figures[:: max(len(figures) // 10, 1)]
    return {
        "windows": windows,
        "models": MODELS,
        "features": FEATURES,
        "exit_code": code,
        "seconds": round(figures[-1].seconds, 1),
        "rss_mb": {figure.step: round(figure.rss_mb) for figure in shown},
        "rss_mb_most": round(max(figure.rss_mb for figure in figures), 1),
        "rss_growth_mb": round(growth(warm, "rss_mb"), 1),
        "file_mb_most": round(max(figure.file_mb for figure in figures), 1),
        "panes_most": max(figure.tables["panes"] for figure in figures),
        "outbox_most": max(figure.tables["outbox"] for figure in figures),
    }


def run(windows: int = WINDOWS) -> dict[str, object]:
    """The figures, measured in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="driftline-memory-") as folder:
        measured_by("tests.soak.memory", "baseline", folder)
        return measured_by("tests.soak.memory", str(windows), folder)


if __name__ == "__main__":
    LogSetup("info").set_up()  # the end of the log is shown if it fails
    windows_or_baseline = sys.argv[1]
    run_folder = Path(sys.argv[2])
    if windows_or_baseline == "baseline":
        result = learn(run_folder)
    else:
        result = measure(int(windows_or_baseline), run_folder)
    sys.stdout.write(json.dumps(result) + "\n")
