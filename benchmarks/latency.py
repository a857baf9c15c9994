"""The time from the end of a window to its SNS message and to its report, under load.

Every other window of a second is drifted, and each window sends a signal. The latency is the time
after the window's end and grace until SNS has the message, and until the report is in the file.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.core import environment
from benchmarks.kafka_clients import PARTITIONS, ClientName
from benchmarks.running import SINKS, Running, on_topic
from detectors.report import Signal, WindowReport
from tests.servers.kafka import KafkaBroker
from tests.servers.moto import MotoServer
from tests.support import events

PRODUCER = Path(__file__).parent / "peers" / "producer.py"
WINDOW_S = 1
GRACE_S = 1
LIVE_S = 75
"""Time during which events arrive."""
WARM_S = 10
"""Part of that time which is not measured."""
SEGMENT_BYTES = 64 << 20
"""Small segments: rolling a segment of a gigabyte would cost the broker half a second."""


def under_load(
    broker: KafkaBroker,
    moto: MotoServer,
    baseline: Path,
    folder: Path,
    rate: float,
    client: ClientName,
) -> dict[str, Any]:
    """Median and 99th percentile of both latencies in seconds, at ``rate`` events per second."""
    topic = folder.name
    broker.create_topic(topic, PARTITIONS, {"segment.bytes": str(SEGMENT_BYTES)})
    arn, queue = moto.topic_with_queue(topic)
    sns = {"type": "sns", "topic_arn": arn, "endpoint_url": moto.url, "region": "us-east-1"}
    config = _config(broker, topic, baseline, client, sns)
    running = Running(folder, config, {**os.environ, **moto.env})
    began_s = time.time()
    stop_s = int(began_s) + LIVE_S
    with _producer(broker, topic, rate, stop_s, folder) as producer:
        reported = _reported(folder / "reports", stop_s)
        sent = json.loads((producer.communicate()[0] or "{}").strip() or "{}")
    running.stop()
    signalled = dict(_signalled(message) for message in moto.messages(queue))
    return {"rate": rate, **sent, **_latencies(signalled, reported, began_s + WARM_S, stop_s)}


def _config(
    broker: KafkaBroker, topic: str, baseline: Path, client: ClientName, sns: dict[str, Any]
) -> dict[str, Any]:
    """A job that sends a signal for each drifted window."""
    return on_topic(
        broker,
        topic,
        baseline,
        client,
        window=f"{WINDOW_S}s",
        grace=f"{GRACE_S}s",
        rules={"mode": "threshold", "k": 1, "of": 1, "cooldown": "0s"},
        sinks=[*SINKS, sns],
    )


def _producer(
    broker: KafkaBroker, topic: str, rate: float, stop_s: int, folder: Path
) -> subprocess.Popen[str]:
    templates = folder / "templates.json"
    templates.write_text(json.dumps(_templates()))
    command = [environment("kafka_producer"), PRODUCER]
    arguments = [broker.bootstrap, topic, PARTITIONS, rate, stop_s, templates]
    return subprocess.Popen([*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def _templates() -> list[list[list[str]]]:
    """Calm and drifted capture lines, each split at the position of its time."""
    columns = events.values(20_000, 11)
    drifted = {**columns, "balance": [str(float(x) * 100) for x in columns["balance"]]}
    kinds = [
        events.capture_lines(kind, start_ms=0, events_a_second=10**9) for kind in (columns, drifted)
    ]
    return [[line.decode().split("1970-01-01T00:00:00Z") for line in kind] for kind in kinds]


def _reported(folder: Path, until_s: float) -> dict[float, float]:
    """The time at which the report of each window was in the file, by the window's end."""
    times: dict[float, float] = {}
    offsets: dict[Path, int] = {}
    while time.time() < until_s:
        for file in folder.glob("reports-*.jsonl"):
            data = file.read_bytes()[offsets.get(file, 0) :]
            complete = data[: data.rfind(b"\n") + 1]
            offsets[file] = offsets.get(file, 0) + len(complete)
            for line in complete.splitlines():
                report = msgspec.json.decode(line, type=WindowReport)
                if report.end_ms is not None and report.revision == 0:
                    times.setdefault(report.end_ms / 1000, time.time())
        time.sleep(0.01)
    return times


def _signalled(message: Mapping[str, Any]) -> tuple[float, float]:
    """The end of a signal's window, and the time at which SNS put the message into the queue."""
    signal = msgspec.json.decode(json.loads(message["Body"])["Message"], type=Signal)
    return signal.end_ms / 1000, int(message["Attributes"]["SentTimestamp"]) / 1000


def _latencies(
    signalled: Mapping[float, float],
    reported: Mapping[float, float],
    from_s: float,
    until_s: float,
) -> dict[str, float]:
    """Window, grace, and both latencies beyond them, of the windows that end in this time."""
    return {
        "window_wait_s": WINDOW_S,
        "grace_s": GRACE_S,
        **_remaining("sns", signalled, from_s, until_s),
        **_remaining("report", reported, from_s, until_s),
    }


def _remaining(
    name: str, times: Mapping[float, float], from_s: float, until_s: float
) -> dict[str, float]:
    seconds = sorted(
        at_s - end_s - GRACE_S for end_s, at_s in times.items() if from_s < end_s < until_s
    )
    return {
        f"{name} windows": len(seconds),
        f"{name} rest_p50_s": statistics.median(seconds),
        f"{name} rest_p99_s": seconds[int(len(seconds) * 0.99)],
    }
