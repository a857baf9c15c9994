"""The core, the floor and the peers, compared in one run: ``python -m benchmarks.core``.

Rounds alternate; every leg runs in a process of its own on one core, peers in virtual environments
of their own. A ratio is the median of the ratios of all rounds. Figures depend on the machine,
ratios less so. Writes ``results/core.json``.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.core_leg import Batch
from stream.baselining.build import learn
from tests.servers.base import cache_dir
from tests.support import events
from tests.support.machine import processor

HERE = Path(__file__).parent
EVENTS = 100_000
PEER_ROWS = 5_000
PEERS = {"w": "whylogs", "e": "evidently", "r": "river"}
OURS = (
    "f",
    "d",
    "labels",
    "json",
    "plain",
    "bad",
    "models10",
    "models100",
    "models1000",
    "wide200",
    "wide5000",
    "values",
    "values200",
    "joint",
)
RATIOS = {
    "d/f": 0.7,
    "d/w": 4.0,
    "d/e": 25.0,
    "d/r": None,
    "labels/d": 0.9,
    "json/d": 0.45,
    "plain/d": 0.55,
    "bad/d": 0.5,
    "models10/d": 0.5,
    "models100/d": 0.25,
    "models1000/d": 0.08,
    "wide200/d": 0.7,
    "wide5000/d": 0.7,
    "values/d": None,
    "values200/wide200": None,
    "joint/d": 0.8,
}
"""Ratios and their required minimum; those of wide events compare cells, all others events."""

Rates = dict[str, dict[str, float]]


def prepare(folder: Path) -> None:
    """Write the events of all legs and the baselines."""
    standard = events.values(EVENTS)
    sets = {
        "d": (events.capture_lines(standard), 0, 20),
        "json": (events.capture_lines(standard, as_json=True), 0, 20),
        "plain": (events.json_lines(standard), 0, 20),
        "bad": (events.capture_lines(events.spoil(standard, 0.01)), 0, 20),
        **{f"models{m}": (events.capture_lines(standard), m, 20) for m in (10, 100, 1_000)},
        **{
            f"wide{w}": (events.capture_lines(events.wide(2_000_000 // w, w)), 0, w)
            for w in (200, 5_000)
        },
    }
    for name, (lines, models, width) in sets.items():
        keys = [f"m{k * 7919 % models}".encode() for k in range(len(lines))] if models else []
        (folder / f"{name}.msgpack").write_bytes(msgspec.msgpack.encode(Batch(lines, keys, width)))
    for seed in range(4):
        _write_baseline(folder / f"baseline-20-{seed}.msgpack", events.values(20_000, seed + 100))
    for width in (200, 5_000):
        _write_baseline(folder / f"baseline-{width}-0.msgpack", events.wide(1_000, width, 100))
    rows = events.values(2 * PEER_ROWS, 7)
    typed = {name: pa.array(cells).cast(_arrow(name)) for name, cells in rows.items()}
    pq.write_table(pa.table(typed), folder / "rows.parquet")


def _arrow(name: str) -> pa.DataType:
    return pa.string() if events.TYPES[name] == "text" else pa.float64()


def _write_baseline(path: Path, columns: dict[str, list[str]]) -> None:
    inputs = [name for name in columns if name not in events.OUTPUTS]
    path.write_bytes(learn(None, [pa.table(columns)], events.OUTPUTS, inputs).encode())


def environment(peer: str) -> Path:
    """The Python of a peer's own virtual environment, created in the cache on first use."""
    cache = cache_dir() / "peers" / peer
    python = cache / "bin" / "python"
    requirements = HERE / "peers" / f"{peer}.txt"
    stamp = cache / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", cache], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


def run_leg(name: str, folder: Path) -> dict[str, float]:
    """Events and cells per second of a leg, in a process of its own on the last core."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.core_leg", name, folder]
    if name in PEERS:
        peer = PEERS[name]
        command = [environment(peer), HERE / "peers" / "leg.py", peer, folder / "rows.parquet"]
    result = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=_pin, cwd=HERE.parent, check=False
    )
    if result.returncode:
        raise click.ClickException(f"leg {name} failed:\n{result.stderr[-2000:]}")
    figures = json.loads(result.stdout.splitlines()[-1])
    per_s = figures["events"] / figures["seconds"]
    return {"events_per_s": per_s, "cells_per_s": figures.get("cells", 0) / figures["seconds"]}


def _pin() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def ratio(name: str, rounds: list[Rates]) -> list[float]:
    """The ratio ``a/b`` of each round, in cells if ``a`` has wide events, otherwise in events."""
    a, b = name.split("/")
    unit = "cells_per_s" if a.startswith("wide") else "events_per_s"
    return [round_[a][unit] / round_[b][unit] for round_ in rounds]


def show(console: Console, rounds: list[Rates], legs: tuple[str, ...]) -> None:
    """Print rates and ratios: median, minimum and maximum of the rounds."""
    rates = Table("leg", "events/s", "min", "max", title="rates")
    for leg in legs:
        values = [round_[leg]["events_per_s"] for round_ in rounds]
        rates.add_row(leg, *(f"{value:,.0f}" for value in summary(values)))
    ratios = Table("ratio", "median", "min", "max", "required", title="ratios")
    for name, required in RATIOS.items():
        values = ratio(name, rounds)
        ratios.add_row(name, *(f"{value:.3g}" for value in summary(values)), str(required or "-"))
    console.print(rates, ratios)


def summary(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum."""
    return statistics.median(values), min(values), max(values)


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Alternating rounds.")
@click.option(
    "--out",
    default=str(HERE / "results" / "core.json"),
    show_default=False,
    help="File for the results.",
)
def main(rounds: int, out: str) -> None:
    """Run all legs in turn and write the results."""
    console = Console()
    legs = (*OURS, *PEERS)
    for peer in PEERS.values():
        environment(peer)
    measured_rounds: list[Rates] = []
    with tempfile.TemporaryDirectory() as name, console.status("preparing the events") as status:
        prepare(Path(name))
        for k in range(rounds):
            measured_rounds.append({})
            for leg in legs:
                status.update(f"round {k + 1} of {rounds}: {leg}")
                measured_rounds[-1][leg] = run_leg(leg, Path(name))
    machine = {**processor(), "python": platform.python_version(), "at": time.strftime("%Y-%m-%d")}
    console.print(f"{machine['processor']}, {machine['vectors']}, Python {machine['python']}")
    show(console, measured_rounds, legs)
    medians = {name: statistics.median(ratio(name, measured_rounds)) for name in RATIOS}
    results = {"ratios": medians, "asked": RATIOS, "machine": machine, "rounds": measured_rounds}
    Path(out).write_text(json.dumps(results, indent=1) + "\n")
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
