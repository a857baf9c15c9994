"""The join of predictions and labels with ten million waiting: ``python -m benchmarks.join``.

* ``store``: the join and its store alone;
* ``owner``: the aggregator with all reports on windows of a minute, ticks and commits; labels of
  two days come shuffled, so that they change 2,880 windows at once;
* ``revised``: a thousand windows of a thousand rows that are reported in one tick, without labels
  and with all of them;
* ``service``: the service on files, in turn without labels (``off``), with predictions that wait
  (``waiting``), and with a label for each event, read as fast as the events (``on``).

Each leg is a process of its own on one core; rates count seconds of the processor where their name
says so. Writes ``results/join.json``.
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
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.labelled_service import rounds
from tests.support.machine import processor
from tests.support.paths import ROOT
from tests.torture.waiting_leg import measured_apart

ASKED = {
    "store predictions_per_s": 100_000,
    "store labels_per_s": 50_000,
    "owner predictions per_cpu_s": 100_000,
    "owner labels per_cpu_s": 50_000,
    "service waiting/off": 0.7,
    "service on/off": 0.7,
}
"""The required rates and ratios."""
REVISED = (1_000_000, 1_000)
SERVICE_EVENTS = 400_000


def owner(leg: str, rows: int, number: int) -> dict[str, float]:
    """The figures of a leg of the aggregator, by part and name."""
    command = [sys.executable, "-m", "benchmarks.labels_leg", leg, str(rows), str(number)]
    result = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=_pin, check=True)
    return msgspec.json.decode(result.stdout, type=dict[str, float])


def _pin() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def service(number: int) -> dict[str, float]:
    """The medians of the service, over some rounds."""
    with tempfile.TemporaryDirectory() as name:
        found = rounds(Path(name), SERVICE_EVENTS, number)
    return {key: statistics.median(round_[key] for round_ in found) for key in found[0]}


@click.command(help=__doc__)
@click.option("--rows", default=10_000_000, show_default=True, help="Waiting predictions.")
@click.option("--labels", default=400_000, show_default=True, help="Labels.")
@click.option("--number", default=3, show_default=True, help="Rounds of the service.")
@click.option(
    "--out",
    default=str(Path(__file__).parent / "results" / "join.json"),
    show_default=False,
    help="File for the results.",
)
def main(rows: int, labels: int, number: int, out: str) -> None:
    """Measure, print the figures and write them."""
    console = Console()
    with console.status("joining"):
        legs = {
            "store": msgspec.to_builtins(measured_apart(rows, labels)),
            "owner": owner("late", rows, labels),
            "revised": owner("revised", *REVISED),
            "service": service(number),
        }
    figures = {f"{leg} {name}": value for leg, part in legs.items() for name, value in part.items()}
    machine = {
        **processor(),
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%d"),
        "load": os.getloadavg()[2],
    }
    table = Table("figure", "value", "required", title="join")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}", f"{ASKED[name]:,}" if name in ASKED else "-")
    console.print(f"{machine['processor']}, {machine['vectors']}, Python {machine['python']}")
    console.print(table)
    results = {"figures": figures, "asked": ASKED, "machine": machine}
    Path(out).write_text(json.dumps(results, indent=1) + "\n")
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
