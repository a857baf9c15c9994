"""Sinks that are down, for 2,400 windows and in real time: each delays only itself, lossless items
are kept, and memory is bounded.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from detectors.report import Signal
from sinks.courier import MAX_QUEUED
from tests.servers.gate import Gate
from tests.servers.moto import MotoServer
from tests.servers.service import RunningService, newest
from tests.soak.clockwork import rss_mb
from tests.soak.month import columns
from tests.support import jobs

START_MS = 1_750_000_020_000
WINDOWS = 2_400
ROWS = 30
DRIFTS_EVERY = 40
OUTAGE_S = int(os.environ.get("DRIFTLINE_OUTAGE_S", "12"))


def second(step: int, start_ms: int) -> list[bytes]:
    """The events of one window; in every fortieth the amounts are words, which opens an episode."""
    events = []
    cells = zip(
        *columns(ROWS, np.random.default_rng(step), step % DRIFTS_EVERY == 9).values(), strict=True
    )
    for k, (score, amount, age, plan) in enumerate(cells):
        time_ms = start_ms + k * 30
        numbers = f'"time":{time_ms},"score":{score},"amount":{amount},"age":{age}'
        events.append(f'{{{numbers},"plan":"{plan}"}}\n'.encode())
    return events


def lines() -> list[bytes]:
    """The events of all windows, each of one second."""
    return [line for step in range(WINDOWS) for line in second(step, START_MS + step * 1_000)]


def config(folder: Path, sinks: list[dict[str, Any]]) -> dict[str, Any]:
    training = columns(5_000, np.random.default_rng(1))
    return jobs.config(
        jobs.learn_from(training, ("score",), folder),
        job="outage",
        source={"type": "jsonl", "path": "log.jsonl", "follow": True},
        format={"type": "json"},
        time={"unit": "ms"},
        window="1s",
        grace="1s",
        lateness="5s",
        rules={
            "mode": "threshold",
            "min_n": ROWS,
            "overwhelming_n": ROWS,
            "k": 1,
            "of": 1,
            "cooldown": "0s",
        },
        sinks=sinks,
    )


class Unreachable(NamedTuple):
    """AWS through a closed gate: the queue that receives what SNS sends, and the sinks."""

    gate: Gate
    queue: str
    sinks: list[dict[str, Any]]


def unreachable(moto: MotoServer, name: str) -> Unreachable:
    topic, queue = moto.topic_with_queue(name)
    gate = Gate(int(moto.url.rpartition(":")[2]))
    aws = {"region": "us-east-1", "endpoint_url": f"http://127.0.0.1:{gate.port}"}
    return Unreachable(
        gate,
        queue,
        [
            {"type": "jsonl", "path": "reports"},
            {"type": "sns", "topic_arn": topic, **aws},
            {"type": "cloudwatch", **aws},
        ],
    )


def received(moto: MotoServer, queue: str) -> list[str]:
    """The ids of all signals in the queue."""
    return sorted(
        msgspec.json.decode(json.loads(message["Body"])["Message"], type=Signal).id
        for message in moto.messages(queue)
    )


SIGNALS = 2 * WINDOWS // DRIFTS_EVERY
"""Each fault opens an episode, and the next window ends it."""


@pytest.mark.slow
def test_sinks_that_are_down_for_long_lose_nothing_and_delay_only_themselves(
    moto: MotoServer, tmp_path: Path
) -> None:
    gate, queue, sinks = unreachable(moto, "outage")
    sinks.insert(1, {"type": "jsonl", "path": "full"})
    # Nothing can be written there until it is a folder.
    (tmp_path / "full").symlink_to("/proc/nowhere")
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines()))
    try:
        with RunningService(tmp_path, config(tmp_path, sinks), moto.env) as service:
            service.until(lambda: service.metric("driftline_reading_paused") == 1, 120)
            service.until(lambda: service.metric("driftline_sink_items_waiting", sink="jsonl") == 0)
            waiting = int(service.metric("driftline_sink_items_waiting", sink="jsonl-2"))
            assert MAX_QUEUED <= waiting < WINDOWS + WINDOWS // DRIFTS_EVERY * 2
            assert (
                service.metric("driftline_sink_items_delivered_total", sink="jsonl") == waiting
            ), "the other sinks have everything"
            assert '"reading_paused"' in service.log
            high = rss_mb(service.pid)
            (tmp_path / "full").unlink()
            service.until(lambda: service.accepted() == WINDOWS * ROWS, 120)
            service.until(
                lambda: service.metric("driftline_sink_items_waiting", sink="jsonl-2") == 0, 120
            )
            assert service.metric("driftline_reading_paused") == 0
            assert '"reading_resumed"' in service.log
            assert service.metric("driftline_sink_items_delivered_total", sink="sns") == 0
            service.until(
                lambda: (
                    service.metric("driftline_sink_items_waiting", sink="sns")
                    == len(service.signals())
                    == SIGNALS
                )
            )
            # One report more than windows: the silence after the last window is reported too.
            service.until(lambda: len(service.reports()) == WINDOWS + 1)
            gate.open()
            service.until(lambda: service.metric("driftline_sink_items_waiting") == 0, 120)
            assert max(high, rss_mb(service.pid)) < 400
            names = ("delivered", "dropped", "rejected")
            counts = {
                name: int(service.metric(f"driftline_sink_items_{name}_total", sink="cloudwatch"))
                for name in names
            }
            assert service.stop() == 0
    finally:
        gate.close()
    windows = newest(service.reports())
    signals = service.signals()
    assert {end for _, end in windows} == {START_MS + (k + 1) * 1_000 for k in range(WINDOWS)}
    assert len({report.id for report in service.reports()}) == WINDOWS + 1
    assert service.reports("full") == service.reports()
    assert service.signals("full") == signals
    assert received(moto, queue) == sorted(signal.id for signal in signals)
    assert counts == {"delivered": MAX_QUEUED, "dropped": WINDOWS + 1 - MAX_QUEUED, "rejected": 0}


def write(log: Path, done: threading.Event, seconds: list[int]) -> None:
    """Append one second of events each second until ``done`` is set."""
    with log.open("ab", buffering=0) as file:
        while not done.wait(1 - time.time() % 1):
            second_ms = int(time.time()) * 1000
            file.write(b"".join(second(len(seconds), second_ms)))
            seconds.append(second_ms)


@pytest.mark.slow
def test_results_of_an_outage_of_aws_are_delivered_afterwards(
    moto: MotoServer, tmp_path: Path
) -> None:
    """In real time: the outage lasts ``DRIFTLINE_OUTAGE_S`` seconds."""
    gate, queue, sinks = unreachable(moto, "by-the-clock")
    done = threading.Event()
    seconds = list[int]()
    writer = threading.Thread(target=write, args=(tmp_path / "log.jsonl", done, seconds))
    settings = config(tmp_path, sinks)
    writer.start()
    try:
        with RunningService(tmp_path, settings, moto.env) as service:
            service.until(
                lambda: len(seconds) >= OUTAGE_S and len(service.signals()) > 0, OUTAGE_S + 60
            )
            assert gate.refused > 0
            assert service.metric("driftline_sink_items_delivered_total", sink="sns") == 0
            assert max(end for _, end in newest(service.reports())) > (time.time() - 10) * 1000, (
                "the file sink is not delayed"
            )
            gate.open()
            done.set()
            writer.join()
            service.until(
                lambda: max(end for _, end in newest(service.reports())) >= seconds[-1] + 1_000, 60
            )
            service.until(
                lambda: (
                    service.metric("driftline_sink_items_delivered_total", sink="cloudwatch")
                    == len(service.reports())
                ),
                120,
            )
            assert service.metric("driftline_sink_items_dropped_total", sink="cloudwatch") == 0
            assert service.stop() == 0
    finally:
        done.set()
        gate.close()
    assert {end for _, end in newest(service.reports())} >= {
        second_ms + 1_000 for second_ms in seconds
    }
    assert received(moto, queue) == sorted(signal.id for signal in service.signals())
    assert len(service.signals()) >= len(seconds) // DRIFTS_EVERY
