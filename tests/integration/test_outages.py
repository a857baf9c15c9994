"""Sinks that are down for an hour of windows: each delays only itself, nothing that must not be lost is, memory has a bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.report import Signal
from sinks.outbox import MOST_QUEUED
from stream import baselining
from tests.parts.door import Closed
from tests.parts.moto import MotoServer
from tests.parts.service import RunningService, newest
from tests.soak.clockwork import rss_mb
from tests.soak.month import columns

START_MS, WINDOWS, ROWS, DRIFTS_EVERY = 1_750_000_020_000, 3_600, 30, 40


def lines() -> list[bytes]:
    """Windows of one second; every fortieth has amounts in words, which is an episode of its own."""
    out = []
    for step in range(WINDOWS):
        rng = np.random.default_rng(step)
        cells = zip(*columns(ROWS, rng, step % DRIFTS_EVERY == 9).values(), strict=True)
        for k, (score, amount, age, plan) in enumerate(cells):
            at_ms = START_MS + step * 1_000 + k * 30
            out.append(f'{{"time":{at_ms},"score":{score},"amount":{amount},"age":{age},"plan":"{plan}"}}'.encode())
    return out


def config(folder: Path, sinks: list[dict[str, Any]]) -> dict[str, Any]:
    table = pa.table(columns(5_000, np.random.default_rng(1)))
    baselining.write(baselining.make(lambda: [table], ("score",)), folder / "baseline")
    return {
        "job": "outage",
        "source": {"type": "jsonl", "path": "log.jsonl", "follow": True},
        "format": {"type": "json"},
        "time": {"unit": "ms"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "baseline"}},
        "window": "1s",
        "grace": "1s",
        "lateness": "5s",
        "rules": {"min_n": ROWS, "overwhelming_n": ROWS, "k": 1, "of": 1, "cooldown_ms": 0},
        "sinks": sinks,
    }


SIGNALS = 2 * WINDOWS // DRIFTS_EVERY
"""Each fault opens an episode, and the window behind it ends it."""


@pytest.mark.slow
def test_sinks_that_are_down_for_long_lose_nothing_and_hold_up_nobody(moto: MotoServer, tmp_path: Path) -> None:
    topic, queue = moto.topic_with_queue("outage")
    door = Closed(int(moto.url.rpartition(":")[2]))
    aws = {"region": "us-east-1", "endpoint_url": f"http://127.0.0.1:{door.port}"}
    sinks = [
        {"type": "jsonl", "path": "reports"},
        {"type": "jsonl", "path": "full"},
        {"type": "sns", "topic_arn": topic, **aws},
        {"type": "cloudwatch", **aws},
    ]
    (tmp_path / "full").symlink_to("/proc/nowhere")  # nothing can be written there until it is a folder
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines()) + b"\n")
    try:
        with RunningService(tmp_path, config(tmp_path, sinks), moto.env) as service:
            service.until(lambda: service.metric("driftline_reading_paused") == 1, 120)
            service.until(lambda: service.metric("driftline_sink_waiting", sink="jsonl") == 0)
            waiting = int(service.metric("driftline_sink_waiting", sink="jsonl-2"))
            assert MOST_QUEUED <= waiting < WINDOWS + WINDOWS // DRIFTS_EVERY * 2
            assert service.metric("driftline_sink_delivered", sink="jsonl") == waiting, "the others have all that was told"
            assert '"reading is paused until a sink has room again"' in service.log
            high = rss_mb(service.pid)
            (tmp_path / "full").unlink()
            service.until(lambda: service.accepted() == WINDOWS * ROWS, 120)
            service.until(lambda: service.metric("driftline_sink_waiting", sink="jsonl-2") == 0, 120)
            assert service.metric("driftline_reading_paused") == 0
            assert '"reading goes on"' in service.log
            assert service.metric("driftline_sink_delivered", sink="sns") == 0
            service.until(lambda: service.metric("driftline_sink_waiting", sink="sns") == len(service.signals()) == SIGNALS)
            service.until(lambda: len(service.reports()) == WINDOWS + 1)  # the silence behind the last window too
            door.open()
            service.until(lambda: service.metric("driftline_sink_waiting") == 0, 120)
            assert max(high, rss_mb(service.pid)) < 400
            names = ("delivered", "dropped", "rejected")
            counts = {name: int(service.metric(f"driftline_sink_{name}", sink="cloudwatch")) for name in names}
            assert service.stop() == 0
    finally:
        door.close()
    windows, signals = newest(service.reports()), service.signals()
    assert {end for _, end in windows} == {START_MS + (k + 1) * 1_000 for k in range(WINDOWS)}
    assert len({report.id for report in service.reports()}) == WINDOWS + 1
    assert service.reports("full") == service.reports()
    assert service.signals("full") == signals
    received = [msgspec.json.decode(json.loads(message["Body"])["Message"], type=Signal) for message in moto.messages(queue)]
    assert sorted(one.id for one in received) == sorted(one.id for one in signals)
    assert counts == {"delivered": MOST_QUEUED, "dropped": WINDOWS + 1 - MOST_QUEUED, "rejected": 0}
