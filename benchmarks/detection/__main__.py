"""Quality of detection beside the peers: ``python -m benchmarks.detection``.

Draws a seed, prints and stores it, and judges streams with and without drift by driftline and by
the peers. Writes ``benchmarks/results/detection.json``; ``python -m benchmarks.detection.tables``
prints it as Markdown.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detection import bound, calm, causes, early, joint, peer_runs, power, seasons
from benchmarks.detection.driftline_judge import MODES
from tests.support.machine import processor

RESULTS: Final = Path(__file__).parents[1] / "results" / "detection.json"
ROWS: Final = (
    "calm",
    "identifiers",
    "dependent",
    "seasons",
    "seasons-shift",
    "power",
    "early",
    "causes",
    "joint",
    "peers-calm",
    "peers-power",
)
CALM_WINDOWS: Final = {"evidence": 130_000, "threshold": 20_000}
"""Windows without drift in a full run."""


class RowCall(NamedTuple):
    """A call of a worker process, for one row of figures."""

    row: str
    call: Callable[[Any, int], Any]
    task: Any


def jobs(rows: tuple[str, ...], scale: float) -> list[RowCall]:
    """The jobs of the rows; those of the longest streams first."""
    out = []
    for mode in MODES:
        streams = {
            "calm": lambda mode=mode: calm.everyday(mode, round(CALM_WINDOWS[mode] * scale)),
            "identifiers": lambda mode=mode: calm.identifiers(mode, scale),
            "dependent": lambda mode=mode: calm.dependent(mode, scale),
        }
        out += [
            RowCall(row, calm.listen, task)
            for row in streams
            if row in rows
            for task in streams[row]()
        ]
    if "seasons" in rows:
        out += [RowCall("seasons", seasons.listen, task) for task in seasons.quiet(scale)]
    if "seasons-shift" in rows:
        out += [RowCall("seasons-shift", seasons.find, task) for task in seasons.planted(scale)]
    if "power" in rows:
        methods = [f"driftline {mode}" for mode in MODES]
        out += [RowCall("power", power.delays, task) for task in power.trials(methods, scale)]
    if "early" in rows:
        looks = [*early.faults(scale), *early.quiet(scale)]
        out += [RowCall("early", early.run, task) for task in looks]
    if "causes" in rows:
        out += [RowCall("causes", causes.name_causes, task) for task in causes.trials(scale)]
    if "joint" in rows:
        out += [RowCall("joint", joint.run, task) for task in joint.tasks(scale)]
    if "peers-calm" in rows:
        out += [RowCall("peers-calm", peer_runs.run, batch) for batch in peer_runs.calm(scale)]
    if "peers-power" in rows:
        out += [RowCall("peers-power", peer_runs.run, batch) for batch in peer_runs.power(scale)]
    return sorted(out, key=_cells, reverse=True)


def _cells(job: RowCall) -> float:
    if isinstance(job.task, calm.CalmStream):
        return float(job.task.n * job.task.windows * (10 if "200" in job.task.stream else 1))
    return np.inf if isinstance(job.task, peer_runs.PeerBatch) else 0.0


def run(jobs: list[RowCall], seed: int, workers: int, console: Console) -> dict[str, list[Any]]:
    """The results of all jobs, by row."""
    results: dict[str, list[Any]] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(workers) as pool:
        bars = {
            row: progress.add_task(row, total=sum(job.row == row for job in jobs))
            for row in dict.fromkeys(job.row for job in jobs)
        }
        waiting = {pool.submit(job.call, job.task, seed): job for job in jobs}
        for done in as_completed(waiting):
            row = waiting[done].row
            results.setdefault(row, []).append(done.result())
            progress.advance(bars[row])
    return results


def figures(results: dict[str, list[Any]], seed: int) -> dict[str, Any]:
    """The figures of all rows."""
    out: dict[str, Any] = {
        row: calm.figures(results[row])
        for row in ("calm", "identifiers", "dependent", "seasons")
        if row in results
    }
    answers: dict[str, list[Any]] = {
        row: [pair for batch in results.get(row, []) for pair in batch]
        for row in ("peers-calm", "peers-power")
    }
    delays = [*results.get("power", []), *peer_runs.delays(answers["peers-power"])]
    if delays:
        out["power"] = power.figures(delays)
        out["bound"] = bound.figures(out["power"], seed)
    if "seasons-shift" in results:
        out["seasons-shift"] = seasons.figures(results["seasons-shift"])
    if "early" in results:
        out["early"] = early.figures(results["early"])
    if "causes" in results:
        out["causes"] = causes.figures(results["causes"])
    if "joint" in results:
        out["joint"] = joint.figures(results["joint"])
    if answers["peers-calm"]:
        out["peers-calm"] = peer_runs.calm_figures(answers["peers-calm"])
    return out


@click.command(help=__doc__)
@click.option(
    "--rows", default="all", show_default=True, help=f"all, quick, or some of {', '.join(ROWS)}."
)
@click.option("--scale", type=float, help="Windows and trials, as a part of those of a full run.")
@click.option("--seed", type=int, help="Repeat a run; by default a seed is drawn.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, help="File for the results."
)
def main(rows: str, scale: float | None, seed: int | None, workers: int, out: Path) -> None:
    """Run the rows and write the results."""
    console = Console()
    seed = int(np.random.SeedSequence().generate_state(2)[0]) if seed is None else seed
    chosen = ROWS if rows in ("all", "quick") else tuple(rows.split(","))
    if unknown := sorted(set(chosen) - set(ROWS)):
        raise click.BadParameter(f"no row {', '.join(unknown)}; choose of {', '.join(ROWS)}")
    scale = scale or (0.02 if rows == "quick" else 1.0)
    console.print(f"seed {seed}, rows {', '.join(chosen)}, scale {scale:g}")
    if {"peers-calm", "peers-power"} & set(chosen):
        peer_runs.install()
    began = time.monotonic()
    found = figures(run(jobs(chosen, scale), seed, workers, console), seed)
    facts = {
        "seed": seed,
        "scale": scale,
        "at": time.strftime("%Y-%m-%d"),
        "driftline": version("driftline"),
        "minutes": round((time.monotonic() - began) / 60.0, 1),
        "machine": {**processor(), "python": platform.python_version()},
        "peers": peer_runs.versions(),
    }
    out.write_text(json.dumps(facts | found, indent=1) + "\n")
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
