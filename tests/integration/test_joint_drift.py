"""Joint drift through the whole service: from the command that makes the baseline to `explain`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.servers.service import RunningService
from tests.support.jobs import MINUTE_MS, START_MS

ROWS = 1_000


def rows(seed: int, n: int, rho: float) -> list[tuple[float, float, str]]:
    rng = np.random.default_rng(seed)
    area = rng.normal(50.0, 10.0, n)
    rooms = np.round(
        3.0 + (rho * (area - 50.0) / 10.0 + np.sqrt(1 - rho**2) * rng.normal(size=n)), 1
    )
    city = rng.choice(["a", "b", "c"], n)
    return list(zip(area.tolist(), rooms.tolist(), city.tolist(), strict=True))


def events(minutes: list[float]) -> bytes:
    """A thousand events a minute, of these correlations."""
    lines = []
    for minute, rho in enumerate(minutes):
        for k, (area, rooms, city) in enumerate(rows(100 + minute, ROWS, rho)):
            at = START_MS + minute * MINUTE_MS + k * MINUTE_MS // ROWS
            lines.append(json.dumps({"time": at, "area": area, "rooms": rooms, "city": city}))
    return "\n".join(lines).encode() + b"\n"


def config(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "job": "files",
        "source": {"type": "jsonl", "path": "events.jsonl"},
        "format": {"type": "json"},
        "time": {"unit": "ms"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": model},
        "rules": {"mode": "evidence"},
        "learn": {"events": 5 * ROWS},
        "sinks": [{"type": "jsonl", "path": "reports"}],
        "http": {"port": 0},
    }


def driftline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("learned", [False, True])
def test_a_correlation_that_vanishes_is_signalled_once_and_explained(
    tmp_path: Path, *, learned: bool
) -> None:
    lines = ["area,rooms,city", *(",".join(map(str, row)) for row in rows(1, 10_000, 0.8))]
    (tmp_path / "train.csv").write_text("\n".join(lines))
    model: dict[str, Any] = {"joint": {"features": ["area", "rooms", "city"]}}
    if learned:
        model |= {"baseline": "learn", "outputs": [], "inputs": ["area", "rooms", "city"]}
    else:
        made = driftline(tmp_path, "baseline", "train.csv", "--out", "b", "--joint", "all")
        assert made.returncode == 0, made.stderr
        assert "counted in pairs: area, rooms, city" in made.stdout
        model["baseline"] = "b"
    (tmp_path / "events.jsonl").write_bytes(events([0.8] * 7 + [0.0] * 2))
    with RunningService(tmp_path, config(model)) as service:
        assert service.wait() == 0, service.log
    reports = {(r.start_ms - START_MS) // MINUTE_MS: r for r in service.reports() if r.rows}
    drifted = {minute for minute, r in reports.items() if r.violations}
    assert drifted == {7, 8}
    (signal,) = service.signals()
    assert (signal.kind, signal.features, signal.action) == ("opened", ("(joint)",), "look")
    assert signal.reasons[0].summary.startswith("area and rooms: correlation 0.7")
    if not learned:
        shown = driftline(tmp_path, "explain", "--last", "--config", "config.yaml")
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "all recomputed values match" in shown.stdout
        assert "area, rooms" in shown.stdout
