"""The join of predictions and labels with ten million waiting: ``python -m benchmarks.join``.

One process on one core. Writes ``results/join.json``.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from tests.support.machine import processor
from tests.torture.waiting_leg import measured_apart

ASKED = {"predictions_per_s": 100_000, "labels_per_s": 50_000}
"""The required rates, by the clock."""


@click.command(help=__doc__)
@click.option("--rows", default=10_000_000, show_default=True, help="Waiting predictions.")
@click.option("--labels", default=1_000_000, show_default=True, help="Labels.")
@click.option(
    "--out",
    default=str(Path(__file__).parent / "results" / "join.json"),
    show_default=False,
    help="File for the results.",
)
def main(rows: int, labels: int, out: str) -> None:
    """Measure, print the figures and write them."""
    console = Console()
    with console.status("joining"):
        figures = msgspec.to_builtins(measured_apart(rows, labels))
    machine = {**processor(), "python": platform.python_version(), "at": time.strftime("%Y-%m-%d")}
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
