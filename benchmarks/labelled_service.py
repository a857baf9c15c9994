"""The service on files, with its predictions joined with labels and without.

The label of each event is in a second file, in another order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.running import SINKS, Running, busy_s
from tests.support import events, jobs

EVENTS_A_SECOND: Final = 2_000


def files(folder: Path, total: int) -> Path:
    """Write ``total`` events of different ids, their labels, and a baseline; return its folder."""
    lines = events.capture_lines(events.values(total), events_a_second=EVENTS_A_SECOND)
    (folder / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    ids = [json.loads(line)["eventMetadata"]["eventId"] for line in lines]
    labels = [
        {
            "groundTruthData": {"data": str(k % 3 // 2), "encoding": "CSV"},
            "eventMetadata": {"eventId": ids[k]},
            "eventVersion": "0",
        }
        for k in np.random.default_rng(1).permutation(total).tolist()
    ]
    (folder / "on.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels))
    (folder / "waiting.jsonl").touch()
    return jobs.learn_from(events.values(20_000, 100), events.OUTPUTS, folder)


def configured(folder: Path, baseline: Path, labels: str) -> dict[str, Any]:
    """The configuration of the job on these files; ``labels`` is the name of a leg."""
    config = jobs.config(
        baseline,
        job="bench",
        source={"type": "jsonl", "path": [str(folder / "events.jsonl")], "follow": True},
        sinks=SINKS,
        grace=None,
    )
    if labels == "off":
        return config
    source = {"type": "jsonl", "path": [str(folder / f"{labels}.jsonl")], "follow": True}
    quality = {"problem": "binary", "probability": "score", "limits": {"auc": {"min": 0.4}}}
    return {
        **config,
        "labels": {"source": source, "format": {"type": "ground_truth"}},
        "models": {"m": {"baseline": str(baseline), "quality": quality}},
    }


def events_per_cpu_s(folder: Path, config: dict[str, Any], total: int) -> float:
    """Events per second of the processor, from the first record to the last."""
    running = Running(folder, config)
    try:
        while (first := running.read()) == 0:
            time.sleep(0.02)
        used_s = busy_s(running.pid)
        while (last := running.read()) < total:
            time.sleep(0.1)
        return (last - first) / (busy_s(running.pid) - used_s)
    finally:
        running.stop()


def rounds(folder: Path, total: int, number: int) -> Sequence[dict[str, float]]:
    """Measure the legs in turn: without labels, with predictions that wait, and with labels."""
    baseline = files(folder, total)
    found = []
    for k in range(number):
        figures = {
            leg: events_per_cpu_s(folder / f"{k}-{leg}", configured(folder, baseline, leg), total)
            for leg in ("off", "waiting", "on")
        }
        ratios = {f"{leg}/off": figures[leg] / figures["off"] for leg in ("waiting", "on")}
        found.append(figures | ratios)
    return found
