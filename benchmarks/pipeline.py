"""The service behind a real Kafka: ``python -m benchmarks.pipeline``.

In alternating rounds, for each client: c (the bare client draining the topic, values touched:
confluent-kafka itself, and for kafka-python our column path, which is faster than the library), k
(the core on the same bytes in memory) and s (the service with state, sinks and metrics on), and s
against ``1 / (1/c + 1/k)``, the bound of a client and a core that take turns. Then the service that
commits each second against one that commits only when a window closes, and two readers against one,
from files and from Kafka (with the broker's share of the processors). Last, events come at half of
s (from librdkafka, in an environment of its own), each window with a signal: of the time from event
to SNS message, what remains beside the wait for the window's end and grace; and the same to the
reports' file. SNS and SQS are moto's server here (an emulator). Writes ``results/pipeline.json``.
"""

from __future__ import annotations

import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pyarrow as pa
import yaml
from rich.console import Console

from benchmarks.core import environment, processor
from benchmarks.core_leg import ARRIVAL_MS, SETTINGS
from benchmarks.kafka_clients import PARTITIONS, ClientName, bare, drain, fill
from detectors.report import Signal, WindowReport
from stream.baselining import build as baselining
from stream.baselining.columns import columns_of
from stream.events import Assign, RawBatch
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from tests.servers.base import free_port
from tests.servers.kafka import BENCH_JVM, KafkaBroker
from tests.servers.moto import MotoServer
from tests.support import events

HERE = Path(__file__).parent
WINDOW_S, GRACE_S = 1, 1
LIVE_S, WARM_S = 75, 10
"""How long events come live, and how much of it is warming up."""
CLIENTS: dict[ClientName, str] = {"columns": "kafka-python", "fast": "confluent"}
RATIOS = (
    "kafka-python s/bound",
    "confluent s/bound",
    "state on/off",
    "readers2/1 files",
    "readers2/1 kafka",
)


class _NoSource:
    finished = True

    def assign(self, assigns: list[Assign]) -> list[Any]:
        return []


def core(lines: list[bytes], baseline: Any, total: int) -> float:
    """Events a second of the core on the same bytes in memory, in batches of four partitions."""
    origin = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    reader = Reader(_NoSource(), Sagemaker(), origin, SETTINGS)  # type: ignore[arg-type]
    reader.use(ReadingPlan({"m": columns_of("m", baseline)}, Sagemaker()))
    reader.assign([Assign(1, f"p{k}", 0, None) for k in range(PARTITIONS)])
    size = 1_250
    batches = []
    for start in range(0, min(total, len(lines)), size * PARTITIONS):
        parts = [lines[start + k * size : start + (k + 1) * size] for k in range(PARTITIONS)]
        batches.append([_raw_batch(f"p{k}", part) for k, part in enumerate(parts) if part])
    for batch in batches[:2]:
        reader.fold(batch)
    began, done = time.perf_counter(), 0
    while done < total // 2:
        for batch in batches:
            reader.fold(batch)
            done += sum(len(raw.values) for raw in batch)
    return done / (time.perf_counter() - began)


def _raw_batch(partition: str, lines: list[bytes]) -> RawBatch:
    return RawBatch(
        partition=partition,
        origin="t",
        first=0,
        next=1,
        positions=range(len(lines)),
        values=[*lines],
        arrival_ms=np.full(len(lines), ARRIVAL_MS, np.int64),
    )


class Running:
    """The service as a user runs it, in a folder of its own."""

    def __init__(
        self, folder: Path, config: dict[str, Any], environment: dict[str, str] | None = None
    ) -> None:
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
                found = re.search(rb"driftline_records_read_total\{[^}]*\} (\S+)", page.read())
            return float(found.group(1)) if found else 0.0
        except OSError:
            return 0.0

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def plain(baseline: Path) -> dict[str, Any]:
    """What all configurations share."""
    return {
        "job": "bench",
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(baseline)}},
        "sinks": [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}],
    }


def configuration(
    broker: KafkaBroker, topic: str, baseline: Path, client: ClientName, **more: Any
) -> dict[str, Any]:
    """A service on a topic with the standard baseline."""
    source = {
        "type": "kafka",
        "bootstrap_servers": [broker.bootstrap],
        "topic": topic,
        "client": client,
    }
    return {**plain(baseline), "job": topic, "source": source, **more}


def service(folder: Path, settings: dict[str, Any], total: int) -> float:
    """Events a second of the service from its first record to its last."""
    running = Running(folder, settings)
    try:
        while (first := running.read()) == 0:
            time.sleep(0.02)
        began, last = time.perf_counter(), first
        while last < total:
            took = time.perf_counter() - began
            time.sleep(
                min(max(took * (total - last) / (last - first + 1) / 2, 0.02), 1.0)
            )  # a scrape costs: few, and dense near the end
            last = running.read()
        return (last - first) / (time.perf_counter() - began)
    finally:
        running.stop()


def of_files(
    folder: Path, lines: list[bytes], baseline: Path, total: int
) -> Callable[[int], dict[str, Any]]:
    """Four files with the same events; gives the configuration for a number of readers."""
    paths = [folder / f"{k}.jsonl" for k in range(PARTITIONS)]
    for path in paths:
        with path.open("wb") as file:
            for _ in range(total // PARTITIONS // len(lines)):
                file.write(b"\n".join(lines) + b"\n")

    def settings(readers: int) -> dict[str, Any]:
        return {
            **plain(baseline),
            "readers": readers,
            "source": {"type": "jsonl", "path": [*map(str, paths)], "follow": True},
        }

    return settings


def busy_s(pid: int) -> float:
    """Seconds that a process has had a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def live(
    broker: KafkaBroker,
    moto: MotoServer,
    baseline: Path,
    folder: Path,
    rate: float,
    client: ClientName,
) -> dict[str, Any]:
    """Every other window of a second is drifted, and each window sends a signal: from the end of
    window and grace until SNS had it, and until the report stood in the file. Seconds, at this
    rate.
    """
    topic = folder.name
    broker.create_topic(
        topic, PARTITIONS, {"segment.bytes": str(64 << 20)}
    )  # the roll of a full gigabyte costs the broker half a second
    arn, queue = moto.topic_with_queue(topic)
    sinks = [
        *plain(baseline)["sinks"],
        {"type": "sns", "topic_arn": arn, "endpoint_url": moto.url, "region": "us-east-1"},
    ]
    rules = {"k": 1, "of": 1, "cooldown": "0s"}
    more = {"window": f"{WINDOW_S}s", "grace": f"{GRACE_S}s", "rules": rules, "sinks": sinks}
    running = Running(
        folder, configuration(broker, topic, baseline, client, **more), {**os.environ, **moto.env}
    )
    began_s = time.time()
    stop_s = int(began_s) + LIVE_S
    forms = folder / "forms.json"
    forms.write_text(json.dumps(_forms()))
    words = [broker.bootstrap, topic, str(PARTITIONS), str(rate), str(stop_s), str(forms)]
    command: list[str | Path] = [
        environment("kafka_producer"),
        HERE / "peers" / "producer.py",
        *words,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as producer:
        reported = _watch(folder / "reports", stop_s)
        sent = json.loads((producer.communicate()[0] or "{}").strip() or "{}")
    running.stop()
    signalled = {
        end_s: sent_s for end_s, sent_s in map(_signal, moto.messages(queue)) if end_s < stop_s
    }
    out: dict[str, Any] = {"rate": rate, **sent, "window_wait_s": WINDOW_S, "grace_s": GRACE_S}
    for name, arrived in (("sns", signalled), ("report", reported)):
        rest = sorted(
            at_s - end_s - GRACE_S for end_s, at_s in arrived.items() if end_s > began_s + WARM_S
        )
        out |= {
            f"{name} windows": len(rest),
            f"{name} rest_p50_s": statistics.median(rest),
            f"{name} rest_p99_s": rest[int(len(rest) * 0.99)],
        }
    return out


def _signal(message: dict[str, Any]) -> tuple[float, float]:
    """The end of a signal's window, and when SNS put the message into the queue."""
    signal = msgspec.json.decode(json.loads(message["Body"])["Message"], type=Signal)
    return signal.end_ms / 1000, int(message["Attributes"]["SentTimestamp"]) / 1000


def _watch(folder: Path, until_s: float) -> dict[float, float]:
    """When the report of each window stood in the file, by the window's end."""
    arrived, seen = dict[float, float](), dict[Path, int]()
    while time.time() < until_s:
        for file in folder.glob("reports-*.jsonl"):
            data = file.read_bytes()[seen.get(file, 0) :]
            whole = data[: data.rfind(b"\n") + 1]
            seen[file] = seen.get(file, 0) + len(whole)
            for line in whole.splitlines():
                report = msgspec.json.decode(line, type=WindowReport)
                if report.end_ms is not None and report.revision == 0:
                    arrived.setdefault(report.end_ms / 1000, time.time())
        time.sleep(0.01)
    return arrived


def _forms() -> list[list[list[str]]]:
    """Capture lines around their time, calm and drifted."""
    columns = events.values(20_000, 11)
    drifted = {**columns, "balance": [str(float(x) * 100) for x in columns["balance"]]}
    lines = [events.capture_lines(c, start_ms=0, events_a_second=10**9) for c in (columns, drifted)]
    return [[line.decode().split("1970-01-01T00:00:00Z") for line in form] for form in lines]


@click.command(help=__doc__)
@click.option("--total", default=2_000_000, show_default=True, help="Events in Kafka.")
@click.option("--rounds", default=3, show_default=True, help="Alternating rounds.")
def main(total: int, rounds: int) -> None:
    """Measure and write what came out."""
    console = Console(soft_wrap=True)
    lines = events.capture_lines(events.values(50_000), events_a_second=2_000)
    made = baselining.make(lambda: [pa.table(events.values(20_000, 100))], events.OUTPUTS)
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaBroker(BENCH_JVM) as broker,
        MotoServer() as moto,
    ):
        folder = Path(name)
        baselining.write(made, folder / "baseline")
        console.print(f"producing {total:,} events ...")
        fill(broker, "bench", lines, total)
        gc.freeze()  # as the service does
        figures = [
            _round(console, broker, folder / f"round-{k}", lines, made, total)
            for k in range(rounds)
        ]
        median = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        latency = {
            word: live(
                broker,
                moto,
                folder / "baseline",
                folder / f"live-{client}",
                median[f"{client} s"] / 2,
                client,
            )
            for client, word in CLIENTS.items()
        }
    ratios = {key: median[key] for key in RATIOS}
    console.print({key: round(value, 3) for key, value in ratios.items()})
    for word, one in latency.items():
        console.print(
            word,
            {
                key: round(value, 3) if isinstance(value, float) else value
                for key, value in one.items()
            },
        )
    result = {
        "ratios": ratios,
        "latency": latency,
        "machine": processor(),
        "events": total,
        "median": median,
        "rounds": figures,
    }
    (HERE / "results" / "pipeline.json").write_text(json.dumps(result, indent=1) + "\n")


def _round(
    console: Console,
    broker: KafkaBroker,
    folder: Path,
    lines: list[bytes],
    made: baselining.BuiltBaseline,
    total: int,
) -> dict[str, float]:
    """All figures once."""
    baseline = folder.parent / "baseline"
    folder.mkdir()
    out = {"k": core(lines, made.baseline, total)}
    for client, word in CLIENTS.items():
        c = (
            bare(broker, "bench", total)
            if client == "fast"
            else drain(broker, "bench", total, client)
        )
        s = service(folder / client, configuration(broker, "bench", baseline, client), total)
        out |= {
            f"{client} c": c,
            f"{client} s": s,
            f"{word} s/bound": s / (1 / (1 / c + 1 / out["k"])),
        }
    seldom = configuration(broker, "bench", baseline, "columns", state={"commit_interval": "1h"})
    out["state on/off"] = out["columns s"] / service(folder / "seldom", seldom, total)
    files = of_files(folder, lines, baseline, total)
    one, two = (
        service(folder / f"files-{n}", files(n), total // 200_000 * 200_000) for n in (1, 2)
    )
    out |= {"files 1": one, "files 2": two, "readers2/1 files": two / one}
    began, used_s = time.perf_counter(), busy_s(broker.process.pid)
    two = service(
        folder / "two", configuration(broker, "bench", baseline, "columns", readers=2), total
    )
    share = (busy_s(broker.process.pid) - used_s) / (time.perf_counter() - began)
    out |= {
        "kafka 2": two,
        "readers2/1 kafka": two / out["columns s"],
        "broker's processors": share,
    }
    console.print(
        {key: round(value, 3) if value < 100 else round(value) for key, value in out.items()}
    )
    for path in folder.glob("*.jsonl"):
        path.unlink()
    return out


if __name__ == "__main__":
    main()
