"""The service on a real Kafka: ``python -m benchmarks.pipeline``.

Alternating rounds measure, for each client:

* ``c``: the client alone, which drains the topic and touches each value. For ``fast`` that is
  confluent-kafka itself, for ``columns`` driftline's own client, which is faster than kafka-python;
* ``k``: the core on the same bytes in memory;
* ``s``: the service with state, sinks and metrics on, and its ratio to ``1 / (1/c + 1/k)``, the
  bound of a client and a core that take turns.

Then the service that commits each second against one that commits only when a window closes, and
two readers against one, on files and on Kafka, with the broker's share of the processors. Last, the
latency at half the speed of ``s``: see :mod:`benchmarks.latency`. SNS and SQS are moto's server (an
emulator). Writes ``results/pipeline.json``.
"""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Console

from benchmarks.core_leg import ARRIVAL_MS, SETTINGS
from benchmarks.kafka_clients import PARTITIONS, ClientName, bare, drain, fill
from benchmarks.latency import under_load
from benchmarks.running import busy_s, events_per_s, on_files, on_topic
from detectors.profiles.baseline import Baseline
from stream.baselining.build import load_baseline
from stream.baselining.columns import columns_of
from stream.events import Assign, RawBatch
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.records import raw_batch
from tests.servers.kafka import BENCH_JVM, KafkaBroker
from tests.servers.moto import MotoServer
from tests.support import events, jobs
from tests.support.machine import processor
from tests.support.records import NoSource

HERE = Path(__file__).parent
TOPIC = "bench"
BATCH = 1_250
CLIENTS: dict[ClientName, str] = {"columns": "kafka-python", "fast": "confluent"}
RATIOS = (
    "kafka-python s/bound",
    "confluent s/bound",
    "state on/off",
    "readers2/1 files",
    "readers2/1 kafka",
)

Figures = dict[str, float]


class Bench(NamedTuple):
    """The inputs that all rounds share."""

    broker: KafkaBroker
    lines: list[bytes]
    baseline: Path
    total: int


def core(lines: list[bytes], baseline: Baseline, total: int) -> float:
    """Events per second of the core on the same bytes in memory, in batches of four partitions."""
    identity = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    reader = Reader(NoSource(), Sagemaker(), identity, SETTINGS)
    reader.use(ReadingPlan({"m": columns_of("m", baseline)}, Sagemaker()))
    reader.assign(
        [Assign(claim=1, partition=f"p{k}", next=0, mark_ms=None) for k in range(PARTITIONS)]
    )
    batches = [
        _raw_batches(lines, start) for start in range(0, min(total, len(lines)), BATCH * PARTITIONS)
    ]
    for batch in batches[:2]:
        reader.fold(batch)
    began_s = time.perf_counter()
    events_done = 0
    while events_done < total // 2:
        for batch in batches:
            reader.fold(batch)
            events_done += sum(len(raw.values) for raw in batch)
    return events_done / (time.perf_counter() - began_s)


def _raw_batches(lines: list[bytes], start: int) -> list[RawBatch]:
    """A batch for each partition, from line ``start`` on."""
    parts = [lines[start + k * BATCH : start + (k + 1) * BATCH] for k in range(PARTITIONS)]
    return [
        raw_batch([*part], f"p{k}", arrival_ms=ARRIVAL_MS) for k, part in enumerate(parts) if part
    ]


def measure_round(bench: Bench, folder: Path) -> Figures:
    """Measure all figures once."""
    folder.mkdir()
    k = core(bench.lines, load_baseline(bench.baseline), bench.total)
    figures = {"k": k}
    for client in CLIENTS:
        figures |= _client(bench, folder, client, k)
    figures |= _rare_commits(bench, folder, figures["columns s"])
    figures |= _two_readers_on_files(bench, folder)
    figures |= _two_readers_on_kafka(bench, folder, figures["columns s"])
    for path in folder.glob("*.jsonl"):
        path.unlink()
    return figures


def _client(bench: Bench, folder: Path, client: ClientName, k: float) -> Figures:
    broker = bench.broker
    total = bench.total
    alone = bare(broker, TOPIC, total) if client == "fast" else drain(broker, TOPIC, total, client)
    config = on_topic(broker, TOPIC, bench.baseline, client)
    speed = events_per_s(folder / client, config, total)
    return {
        f"{client} c": alone,
        f"{client} s": speed,
        f"{CLIENTS[client]} s/bound": speed / (1 / (1 / alone + 1 / k)),
    }


def _rare_commits(bench: Bench, folder: Path, with_commits: float) -> Figures:
    state = {"commit_interval": "1h"}
    config = on_topic(bench.broker, TOPIC, bench.baseline, "columns", state=state)
    return {"state on/off": with_commits / events_per_s(folder / "rare", config, bench.total)}


def _two_readers_on_files(bench: Bench, folder: Path) -> Figures:
    config = on_files(folder, bench.lines, bench.baseline, bench.total)
    whole = bench.total // 200_000 * 200_000
    single = events_per_s(folder / "files-1", config(1), whole)
    double = events_per_s(folder / "files-2", config(2), whole)
    return {"files 1": single, "files 2": double, "readers2/1 files": double / single}


def _two_readers_on_kafka(bench: Bench, folder: Path, single: float) -> Figures:
    pid = bench.broker.process.pid
    config = on_topic(bench.broker, TOPIC, bench.baseline, "columns", readers=2)
    began_s = time.perf_counter()
    used_s = busy_s(pid)
    double = events_per_s(folder / "two", config, bench.total)
    share = (busy_s(pid) - used_s) / (time.perf_counter() - began_s)
    return {
        "kafka 2": double,
        "readers2/1 kafka": double / single,
        "broker's processors": share,
    }


@click.command(help=__doc__)
@click.option("--total", default=2_000_000, show_default=True, help="Events in Kafka.")
@click.option("--rounds", default=3, show_default=True, help="Alternating rounds.")
def main(total: int, rounds: int) -> None:
    """Measure, print and write the results."""
    console = Console(soft_wrap=True)
    lines = events.capture_lines(events.values(50_000), events_a_second=2_000)
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaBroker(BENCH_JVM) as broker,
        MotoServer() as moto,
    ):
        folder = Path(name)
        baseline = jobs.learn_from(events.values(20_000, 100), events.OUTPUTS, folder)
        bench = Bench(broker, lines, baseline, total)
        all_rounds = _measure_rounds(bench, folder, rounds, console)
        median = {
            key: statistics.median(figures[key] for figures in all_rounds) for key in all_rounds[0]
        }
        latency = _latency(bench, moto, folder, median)
    ratios = {key: median[key] for key in RATIOS}
    for figures in (ratios, *latency.values()):
        console.print(_rounded(figures))
    _write({"ratios": ratios, "latency": latency}, median, all_rounds, total)


def _measure_rounds(bench: Bench, folder: Path, rounds: int, console: Console) -> list[Figures]:
    """Fill the topic; measure and print all rounds."""
    console.print(f"producing {bench.total:,} events ...")
    fill(bench.broker, TOPIC, bench.lines, bench.total)
    gc.freeze()  # the service freezes its objects as well
    all_rounds = []
    for k in range(rounds):
        all_rounds.append(measure_round(bench, folder / f"round-{k}"))
        console.print(_rounded(all_rounds[-1]))
    return all_rounds


def _latency(
    bench: Bench, moto: MotoServer, folder: Path, median: Figures
) -> dict[str, dict[str, Any]]:
    """The latency of each client at half the speed of its service."""
    return {
        name: under_load(
            bench.broker,
            moto,
            bench.baseline,
            folder / f"live-{client}",
            median[f"{client} s"] / 2,
            client,
        )
        for client, name in CLIENTS.items()
    }


def _write(summary: dict[str, Any], median: Figures, all_rounds: list[Figures], total: int) -> None:
    result = {
        **summary,
        "machine": processor(),
        "events": total,
        "median": median,
        "rounds": all_rounds,
    }
    (HERE / "results" / "pipeline.json").write_text(json.dumps(result, indent=1) + "\n")


def _rounded(figures: Mapping[str, Any]) -> dict[str, float]:
    return {key: round(value, 3) if value < 100 else round(value) for key, value in figures.items()}


if __name__ == "__main__":
    main()
