"""Quality of detection beside the peers: ``python -m benchmarks.detection``.

Draws a seed, prints and stores it, and judges streams with and without drift by driftline and by
the peers. Writes ``benchmarks/results/detection.json``; ``python -m benchmarks.detection.tables``
prints it as Markdown.
"""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.detection import bound, calm, causes, early, joint, peer_runs, power, seasons
from benchmarks.detection.driftline_judge import MODES, Mode
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


Found = dict[str, list[Any]]
"""The results of the tasks of each row."""


class RowCall(NamedTuple):
    """A call of a worker process, for one row of figures."""

    row: str
    call: Callable[[Any, int], Any]
    task: Any


def jobs(scales: Mapping[str, float]) -> list[RowCall]:
    """The jobs of the rows, each row at its scale; those of the longest streams first."""
    tasks: dict[str, tuple[Callable[[Any, int], Any], Callable[[float], Sequence[Any]]]] = {
        "calm": (calm.listen, _in_both_modes(_calm)),
        "identifiers": (calm.listen, _in_both_modes(calm.identifiers)),
        "dependent": (calm.listen, _in_both_modes(calm.dependent)),
        "seasons": (seasons.listen, seasons.quiet),
        "seasons-shift": (seasons.find, seasons.planted),
        "power": (power.delays, partial(power.trials, [f"driftline {mode}" for mode in MODES])),
        "early": (early.run, lambda scale: [*early.faults(scale), *early.quiet(scale)]),
        "causes": (causes.name_causes, causes.trials),
        "joint": (joint.run, joint.tasks),
        "peers-calm": (peer_runs.run, peer_runs.calm),
        "peers-power": (peer_runs.run, peer_runs.power),
    }
    out = []
    for row, scale in scales.items():
        call, of_scale = tasks[row]
        out += [RowCall(row, call, task) for task in of_scale(scale)]
    return sorted(out, key=_cells, reverse=True)


def _calm(mode: Mode, scale: float) -> list[calm.CalmStream]:
    return calm.everyday(mode, round(CALM_WINDOWS[mode] * scale))


def _in_both_modes(
    streams: Callable[[Mode, float], list[calm.CalmStream]],
) -> Callable[[float], list[calm.CalmStream]]:
    return lambda scale: [each for mode in MODES for each in streams(mode, scale)]


def _cells(job: RowCall) -> float:
    if isinstance(job.task, calm.CalmStream):
        return float(job.task.n * job.task.windows * (10 if "200" in job.task.stream else 1))
    return np.inf if isinstance(job.task, peer_runs.PeerBatch) else 0.0


def run(
    jobs: list[RowCall],
    seed: int,
    workers: int,
    console: Console,
    finished: Callable[[Found], None],
) -> None:
    """Call ``finished`` with the results of all rows so far, by row, whenever one is complete."""
    found: Found = {}
    left = Counter(job.row for job in jobs)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(workers) as pool:
        bars = {row: progress.add_task(row, total=left[row]) for row in left}
        waiting = {pool.submit(job.call, job.task, seed): job for job in jobs}
        for done in as_completed(waiting):
            row = waiting[done].row
            found.setdefault(row, []).append(done.result())
            left[row] -= 1
            progress.advance(bars[row])
            if not left[row]:
                finished({name: results for name, results in found.items() if not left[name]})


def figures(results: Found, seed: int) -> dict[str, Any]:
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


def scales_of(rows: str, scale: float | None) -> dict[str, float]:
    """The scale of each row of ``all``, ``quick`` or a list such as ``power,calm:0.1``."""
    if rows in ("all", "quick"):
        usual = 0.02 if rows == "quick" else 1.0
        return dict.fromkeys(ROWS, scale or usual)
    scales = {}
    for entry in rows.split(","):
        row, _, own = entry.partition(":")
        if row not in ROWS:
            raise click.BadParameter(f"no row {row!r}; choose of {', '.join(ROWS)}")
        try:
            scales[row] = float(own) if own else scale or 1.0
        except ValueError as error:
            raise click.BadParameter(f"{own!r}, the scale of {row}, is no number") from error
    return scales


@click.command(help=__doc__)
@click.option(
    "--rows",
    default="all",
    show_default=True,
    help=f"all, quick, or some of {', '.join(ROWS)}; calm:0.1 is calm at a scale of 0.1.",
)
@click.option("--scale", type=float, help="Windows and trials, as a part of those of a full run.")
@click.option("--seed", type=int, help="Repeat a run; by default a seed is drawn.")
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, help="File for the results."
)
def main(rows: str, scale: float | None, seed: int | None, workers: int, out: Path) -> None:
    """Run the rows; the results are written whenever one is complete."""
    console = Console()
    seed = int(np.random.SeedSequence().generate_state(2)[0]) if seed is None else seed
    scales = scales_of(rows, scale)
    shown = ", ".join(f"{row}:{each:g}" for row, each in scales.items())
    console.print(f"seed {seed}, rows and scales {shown}")
    if {"peers-calm", "peers-power"} & set(scales):
        peer_runs.install()
    began = time.monotonic()

    def write(found: Found) -> None:
        facts = {
            "seed": seed,
            "scales": {row: scales[row] for row in scales if row in found},
            "at": time.strftime("%Y-%m-%d"),
            "driftline": version("driftline"),
            "minutes": round((time.monotonic() - began) / 60.0, 1),
            "machine": {**processor(), "python": platform.python_version()},
            "peers": peer_runs.versions(),
        }
        out.write_text(json.dumps(facts | figures(found, seed), indent=1) + "\n")

    run(jobs(scales), seed, workers, console, write)
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
