"""The service behind a real Kafka: ``python -m benchmarks.pipeline``.

Prints c (the bare client draining the topic), k (the core on the same bytes in memory) and s (the service with state, sinks and
metrics on), in alternating rounds, and s against ``1 / (1/c + 1/k)``, the bound of a client and a core that take turns. Then
events come at half of s (from librdkafka, which leaves the service its core) with a drift in them, and the time from event to SNS
message is split: the wait for the window's end, grace, and the rest. SNS and SQS are moto's server here (an emulator).
Writes ``results/pipeline.json``.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import click
import kafka
import numpy as np
import pyarrow as pa
import yaml
from rich.console import Console

from benchmarks import events
from benchmarks.core import environment, processor
from benchmarks.leg import TIMES
from stream import baselining
from stream.events import Assign, RawBatch
from stream.formats.base import ModelOf, Origin, TimeOf
from stream.formats.sagemaker import Sagemaker
from stream.plan import ReadingPlan, columns_of
from stream.readers import Reader
from tests.parts.base import free_port
from tests.parts.kafka import BENCH_JVM, KafkaBroker
from tests.parts.moto import MotoServer

HERE = Path(__file__).parent
PARTITIONS = 4
WINDOW_S, GRACE_S = 5, 1
CALM_S = 12
"""How long events come before they drift."""


class _NoSource:
    finished = True

    def assign(self, assigns: list[Assign]) -> list[Any]:
        return []


def fill(broker: KafkaBroker, topic: str, lines: list[bytes], total: int) -> None:
    """Produce ``total`` events, the given lines again and again, evenly over the partitions."""
    broker.create_topic(topic, PARTITIONS, {"retention.ms": "-1", "message.timestamp.after.max.ms": str(10**13)})
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=50, batch_size=256 << 10)
    for k in range(total):
        producer.send(topic, lines[k % len(lines)], partition=k % PARTITIONS)
    producer.flush()
    producer.close()


def drain(broker: KafkaBroker, topic: str, total: int) -> float:
    """Events a second of the bare client with the service's settings; each value is touched."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=broker.bootstrap, enable_auto_commit=False, auto_offset_reset="none", isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20, fetch_max_bytes=16 << 20, receive_buffer_bytes=4 << 20, max_poll_records=5_000,
    )  # fmt: skip
    places = [kafka.TopicPartition(topic, k) for k in range(PARTITIONS)]
    consumer.assign(places)
    for place in places:
        consumer.seek(place, 0)
    seen = size = 0
    began = time.perf_counter()
    while seen < total:
        for records in consumer.poll(200).values():
            seen += len(records)
            size += sum(len(record.value) for record in records)
    rate = seen / (time.perf_counter() - began)
    consumer.close()
    return rate


def core(lines: list[bytes], baseline: Any, total: int) -> float:
    """Events a second of the core on the same bytes in memory, in batches of four partitions."""
    reader = Reader(_NoSource(), Sagemaker(), Origin(ModelOf(name="m"), ModelOf(name="v"), TimeOf()), TIMES)  # type: ignore[arg-type]
    reader.use(ReadingPlan({"m": columns_of("m", baseline)}, Sagemaker()))
    reader.assign([Assign(1, f"p{k}", 0, None) for k in range(PARTITIONS)])
    size = 1_250
    batches = []
    for start in range(0, min(total, len(lines)), size * PARTITIONS):
        parts = [lines[start + k * size : start + (k + 1) * size] for k in range(PARTITIONS)]
        arrival = np.full(size, 4_000_000_000_000, np.int64)
        batches.append(
            [RawBatch(f"p{k}", "t", 0, 1, [*range(len(p))], [*p], arrival[: len(p)]) for k, p in enumerate(parts) if p]
        )
    for batch in batches[:2]:
        reader.fold(batch)
    began, done = time.perf_counter(), 0
    while done < total // 2:
        for batch in batches:
            reader.fold(batch)
            done += sum(len(raw.values) for raw in batch)
    return done / (time.perf_counter() - began)


class Running:
    """The service as a user runs it, in a folder of its own."""

    def __init__(self, folder: Path, config: dict[str, Any], environment: dict[str, str] | None = None) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump({**config, "http": {"port": self.port}}))
        self._log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "stream.cli", "run", str(folder / "config.yaml")]
        self._process = subprocess.Popen(command, stderr=self._log, env=environment)

    def read(self) -> float:
        """Records read so far; 0 while it does not answer yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
                found = re.search(rb'driftline_records_read_total\{[^}]*\} (\S+)', page.read())
            return float(found.group(1)) if found else 0.0
        except OSError:
            return 0.0

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def configuration(broker: KafkaBroker, topic: str, baseline: Path, sinks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A service on a topic with the standard baseline."""
    return {
        "job": topic,
        "source": {"type": "kafka", "bootstrap_servers": [broker.bootstrap], "topic": topic},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(baseline)}},
        "sinks": [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}, *sinks],
        **more,
    }


def service(broker: KafkaBroker, topic: str, baseline: Path, folder: Path, total: int) -> float:
    """Events a second of the service from its first record to its last."""
    running = Running(folder, configuration(broker, topic, baseline, []))
    try:
        while (first := running.read()) == 0:
            time.sleep(0.02)
        began = time.perf_counter()
        while (last := running.read()) < total:
            time.sleep(0.05)
        return (last - first) / (time.perf_counter() - began)
    finally:
        running.stop()


def live(broker: KafkaBroker, moto: MotoServer, baseline: Path, folder: Path, rate: float) -> dict[str, float]:
    """Seconds from the first drifted event to the SNS message at this rate, split by cause."""
    topic = "live"
    broker.create_topic(topic, PARTITIONS)
    arn, queue = moto.topic_with_queue(topic)
    sns = {"type": "sns", "topic_arn": arn, "endpoint_url": moto.url, "region": "us-east-1"}
    more = {"window": f"{WINDOW_S}s", "grace": f"{GRACE_S}s"}
    running = Running(folder, configuration(broker, topic, baseline, [sns], **more), {**os.environ, **moto.env})
    turn_s = (int(time.time() + CALM_S) // WINDOW_S + 1) * WINDOW_S
    stop_s = turn_s + WINDOW_S + GRACE_S + 4
    forms = folder / "forms.json"
    forms.write_text(json.dumps(_forms()))
    words = [broker.bootstrap, topic, str(PARTITIONS), str(rate), str(turn_s), str(stop_s), str(forms)]
    command: list[str | Path] = [environment("kafka_producer"), HERE / "peers" / "producer.py", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as producer:
        found = _first_message(moto, queue, stop_s + 15)
        sent = json.loads((producer.communicate()[0] or "{}").strip() or "{}")
    running.stop()
    total = found - turn_s
    rest = total - WINDOW_S - GRACE_S
    return {"rate": rate, **sent, "total_s": total, "window_s": WINDOW_S, "grace_s": GRACE_S, "rest_s": rest}


def _forms() -> list[list[list[str]]]:
    """Capture lines around their time, calm and drifted."""
    columns = events.values(20_000, 11)
    drifted = {**columns, "balance": [str(float(x) * 100) for x in columns["balance"]]}
    lines = [events.capture_lines(c, start_ms=0, events_a_second=10**9) for c in (columns, drifted)]
    return [[line.decode().split("1970-01-01T00:00:00Z") for line in form] for form in lines]


def _first_message(moto: MotoServer, queue: str, until_s: float) -> float:
    """When the first message of a queue came; NaN if none did."""
    while time.time() < until_s:
        if moto.messages(queue):
            return time.time()
        time.sleep(0.02)
    return float("nan")


@click.command(help=__doc__)
@click.option("--total", default=500_000, show_default=True, help="Events in Kafka.")
@click.option("--rounds", default=3, show_default=True, help="Alternating rounds.")
def main(total: int, rounds: int) -> None:
    """Measure and write what came out."""
    console = Console()
    lines = events.capture_lines(events.values(50_000), events_a_second=2_000)
    made = baselining.make(lambda: [pa.table(events.values(20_000, 100))], events.OUTPUTS)
    figures: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name, KafkaBroker(BENCH_JVM) as broker, MotoServer() as moto:
        folder = Path(name)
        baselining.write(made, folder / "baseline")
        console.print(f"producing {total:,} events ...")
        fill(broker, "bench", lines, total)
        for k in range(rounds):
            c = drain(broker, "bench", total)
            core_rate = core(lines, made.baseline, total)
            s = service(broker, "bench", folder / "baseline", folder / f"run-{k}", total)
            bound = 1 / (1 / c + 1 / core_rate)
            figures.append({"c": c, "k": core_rate, "s": s, "bound": bound, "s/bound": s / bound})
            console.print(f"round {k + 1}: c {c:,.0f}/s, k {core_rate:,.0f}/s, s {s:,.0f}/s, s/(1/(1/c+1/k)) {s / bound:.2f}")
        median = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        latency = live(broker, moto, folder / "baseline", folder / "live", median["s"] / 2)
    console.print(f"median: s {median['s']:,.0f} events/s, {median['s/bound']:.2f} of the bound")
    console.print(
        f"event to SNS at {latency['sent_per_s']:,.0f} events/s: {latency['total_s']:.2f} s = window wait {WINDOW_S} s "
        f"+ grace {GRACE_S} s + rest {latency['rest_s']:.2f} s",
        soft_wrap=True,
    )
    result = {"ratios": {"kafka-python s/bound": median["s/bound"]}, "latency": latency, "machine": processor(), "rounds": figures}
    (HERE / "results" / "pipeline.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
