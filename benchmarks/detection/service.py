"""Each row of the figures through the whole service: ``python -m benchmarks.detection.service``.

Writes event files, learns the baselines with ``driftline baseline``, and runs ``driftline run`` by
evidence: once over files of the past, in which each row is a model, and once over a file for each
fault in an open window, to which 1,000 events a second are written while it is read. What the
service delivered is compared with what the row promises, and its rows with those that were written.
A promise about a share of the trials may be missed in one. The seed is drawn, printed and stored;
the results are the part ``service`` of ``benchmarks/results/detection.json``.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np
from rich.console import Console

from benchmarks.detection.__main__ import RESULTS
from benchmarks.detection.calm import CYCLE, CYCLE_SIZE, NORMALS
from benchmarks.detection.dependent import autoregressive, cycle_history, daily_cycle
from benchmarks.detection.driftline_judge import MINUTE_MS
from benchmarks.detection.early import FAULTS, ROWS_PER_SECOND
from benchmarks.detection.kinds import DRIFTS, EVERYDAY, IDENTIFIERS, Random
from benchmarks.detection.service_events import WrittenModel, learned, write_events
from benchmarks.detection.streams import Columns, Rows, independent
from detectors.report import Signal, WindowReport
from tests.servers.service import RunningService, newest

START_MS: Final = 1_749_945_600_000
"""Midnight, when all events of the past begin."""
BESIDE: Final = ("normal",) * 19
"""The features beside the one that drifts: they share the budget."""
EARLY_WITHIN_S: Final = {"shift 0.5": 2.0, "nulls 5 %": 2.0, "shift 0.25": None}
"""Seconds to the signal; others: one, plus one look. ``None``: nothing is promised."""
CALM_S: Final = 8
FAULTY_S: Final = 12
LISTEN_S: Final = 3
"""Seconds of events without a fault, seconds with it, and seconds after the last event."""
LOOK_S: Final = 1.0


class ServiceRow(NamedTuple):
    """A row of the figures: its rows a window, windows without and with the drift, and promise.

    ``within``: the windows with the drift in which a signal comes. Without a drift at most
    ``signals`` come, and at most a share of ``violating`` of the windows has a violation.
    """

    name: str
    n: int
    calm: int
    drift: str = ""
    drifted: int = 0
    within: int = 0
    signals: int = 0
    violating: float = 1.0


def rows(scale: float = 1.0) -> list[ServiceRow]:
    """All rows on files; ``scale``: the part of the windows without drift."""

    def some(windows: int) -> int:
        return max(12, round(windows * scale))

    streams = [
        ServiceRow("calm", 1_000, some(120)),
        ServiceRow("identifiers", 1_000, some(60), violating=0.001),
        ServiceRow("AR(1) .5", 100, some(1_000), violating=0.01),
        ServiceRow("AR(1) .9", 100, some(1_000), signals=1),
        ServiceRow("daily cycle", 100, some(1_440), signals=2),
    ]
    drifts = {
        30: ["shift 0.5"],
        100: ["shift 0.5", "scale x1.5", "nulls 5 %", "mix TV 0.2"],
        1_000: [
            "shift 0.25", "scale x1.2", "mix TV 0.1", "new value 1 %", "nulls 1 %",
            "2 % value gone", "top 1 % doubled", "sentinel -999 in 2 %",
        ],
        10_000: ["shift 0.1", "mix TV 0.05"],
    }  # fmt: skip
    within = {30: 10, 100: 3, 1_000: 3, 10_000: 3}
    return streams + [
        ServiceRow(
            f"{drift}, n = {n:,}",
            n,
            4,
            drift,
            within[n],
            1 if drift.startswith("sentinel") else within[n],
        )
        for n, names in drifts.items()
        for drift in names
    ]


def kinds_of(row: ServiceRow) -> tuple[str, ...]:
    """The kinds of a row's features; the first one drifts."""
    if row.drift:
        return (DRIFTS[row.drift].kind, *BESIDE)
    streams = {"calm": EVERYDAY, "identifiers": IDENTIFIERS, "daily cycle": CYCLE}
    return streams.get(row.name, NORMALS)


def stream_of(row: ServiceRow, random: Random) -> tuple[Columns, Rows]:
    """The values of a row's baseline, and its stream before any drift."""
    kinds = kinds_of(row)
    if row.name == "daily cycle":
        history = cycle_history(CYCLE_SIZE)(kinds, random)
        return history(0, 20_000), daily_cycle(CYCLE_SIZE, row.n)(kinds, random)
    of_rows = {"AR(1) .5": autoregressive(0.5), "AR(1) .9": autoregressive(0.9)}
    stream = of_rows.get(row.name, independent)(kinds, random)
    return stream(0, 20_000), stream


def columns_of(row: ServiceRow, stream: Rows, random: Random) -> Iterator[Columns]:
    """The values of each window in turn; from ``row.calm`` on the first feature drifts."""
    for window in range(row.calm + row.drifted):
        columns = dict(stream(window * row.n, row.n))
        if window >= row.calm:
            name = next(iter(columns))
            since = np.full(row.n, window - row.calm)
            columns[name] = DRIFTS[row.drift].change(random, columns[name], since)
        yield columns


def on_files(chosen: Sequence[ServiceRow], folder: Path, seed: int) -> list[dict[str, Any]]:
    """Run the service once over files of the past, and compare each row with its promise."""
    models = []
    for k, row in enumerate(chosen):
        random = np.random.default_rng([seed, 8, k])
        history, stream = stream_of(row, random)
        model = learned(folder, f"m{k}", kinds_of(row), history)
        write_events(model, columns_of(row, stream, random), START_MS, row.n)
        models.append(model)
    with RunningService(folder, _config(models, follow=False)) as service:
        if service.wait(1_800) != 0:
            raise click.ClickException(service.log[-2_000:])
        reports, signals = [*newest(service.reports()).values()], service.signals()
        balanced = '"ledger_imbalance"' not in service.log
    return [
        outcome(
            row,
            [report for report in reports if report.model == model.name],
            [signal for signal in signals if signal.model == model.name],
        )
        | {"balanced": balanced}
        for row, model in zip(chosen, models, strict=True)
    ]


def outcome(
    row: ServiceRow, reports: Sequence[WindowReport], signals: Sequence[Signal]
) -> dict[str, Any]:
    """What the service delivered on a row, and whether that keeps the promise."""
    first_ms = START_MS + row.calm * MINUTE_MS
    counted = sum(report.rows for report in reports)
    raised = [signal.end_ms for signal in signals if signal.kind in ("opened", "worsened")]
    false = sum(end_ms <= first_ms for end_ms in raised) if row.drift else len(raised)
    after = [end_ms for end_ms in raised if row.drift and end_ms > first_ms]
    found = (min(after) - first_ms) // MINUTE_MS if after else None
    violating = sum(report.state == "violations" for report in reports)
    if row.drift:
        kept = found is not None and found <= row.within and false == 0
    else:
        kept = false <= row.signals and violating <= row.violating * len(reports)
    return {
        "row": row.name,
        "windows": len(reports),
        "violating": violating,
        "false_signals": false,
        "found_in_window": found,
        "asked": _asked(row),
        "kept": kept,
        "all_rows_counted": counted == row.n * (row.calm + row.drifted),
    }


def _asked(row: ServiceRow) -> str:
    if row.drift:
        return f"a signal within {row.within} window{'s' if row.within > 1 else ''}"
    if row.violating < 1.0:
        return f"at most {row.signals} signals, {100 * row.violating:g} % of the windows"
    return f"at most {row.signals} signals"


def live(names: Sequence[str], folder: Path, seed: int) -> list[dict[str, Any]]:
    """Run the service over files that grow, and time its signals by the clock."""
    models, lines = [], []
    for k, name in enumerate(names):
        kind, change = FAULTS[name]
        random = np.random.default_rng([seed, 9, k])
        kinds = (kind, *BESIDE)
        stream = independent(kinds, random)
        models.append(learned(folder, f"m{k}", kinds, stream(0, 20_000)))
        columns = dict(stream(0, (CALM_S + FAULTY_S) * ROWS_PER_SECOND))
        first, fault = next(iter(columns)), CALM_S * ROWS_PER_SECOND
        columns[first] = np.concatenate(
            [columns[first][:fault], change(random, columns[first][fault:])]
        )
        lines.append(models[-1].undated(columns))
        models[-1].events.touch()
    with RunningService(folder, _config(models, follow=True)) as service:
        service.until(service.healthy)
        began_s = _in_a_minute()
        told = _grow(service, models, lines, began_s)
        written = sum(map(len, lines))
        service.until(lambda: service.accepted() == written)
        facts = {
            "balanced": service.metric("driftline_ledger_imbalance") == 0.0,
            "all_rows_counted": service.accepted() == written,
        }
    return [
        early_outcome(name, told.get(model.name, []), began_s + CALM_S) | facts
        for name, model in zip(names, models, strict=True)
    ]


def _in_a_minute() -> float:
    """Wait until the window that is open stays so; return the time."""
    while time.time() % 60.0 > 60.0 - CALM_S - FAULTY_S - LISTEN_S:
        time.sleep(0.1)
    return time.time()


def _grow(
    service: RunningService,
    models: Sequence[WrittenModel],
    lines: Sequence[Sequence[str]],
    began_s: float,
) -> dict[str, list[float]]:
    """Write the lines of all models in time; return when their signals came, by model."""
    told: dict[str, list[float]] = {}
    done = known = 0
    while time.time() < began_s + CALM_S + FAULTY_S + LISTEN_S:
        now_s = time.time()
        due = min(int((now_s - began_s) * ROWS_PER_SECOND), len(lines[0]))
        for model, own in zip(models, lines, strict=True):
            model.append(own[done:due], int(now_s * 1_000))
        done = due
        signals = service.signals()
        for signal in signals[known:]:
            told.setdefault(signal.model, []).append(time.time())
        known = len(signals)
        time.sleep(0.02)
    return told


def early_outcome(name: str, told_s: Sequence[float], fault_s: float) -> dict[str, Any]:
    """When the signal on a fault came, and whether that keeps the promise of one look more."""
    within_s = EARLY_WITHIN_S.get(name, 1.0)
    after = [at_s - fault_s for at_s in told_s if at_s >= fault_s]
    false = len(told_s) - len(after)
    wait_s = min(after, default=None)
    in_time = within_s is None or (wait_s is not None and wait_s <= within_s + LOOK_S)
    return {
        "row": f"early: {name}",
        "false_signals": false,
        "found_after_s": None if wait_s is None else round(wait_s, 2),
        "asked": "-" if within_s is None else f"within {within_s:g} s and a look",
        "kept": in_time and not false,
    }


def _config(models: Sequence[WrittenModel], *, follow: bool) -> dict[str, Any]:
    """A job by evidence with a model for each row, and the defaults for all else."""
    return {
        "job": "figures",
        "source": {
            "type": "jsonl", "path": [model.events.name for model in models], "follow": follow
        },
        "format": {"type": "json", "features": "request"},
        "time": {"path": "time", "unit": "ms"},
        "model": {"from": "path", "name": "model"},
        "models": {model.name: {"baseline": str(model.baseline)} for model in models},
        "window": "60s",
        "rules": {"mode": "evidence"},
        "sinks": [{"type": "jsonl", "path": "reports"}],
    }  # fmt: skip


def run(scale: float, seed: int) -> dict[str, Any]:
    """Both runs of the service."""
    with tempfile.TemporaryDirectory() as name:
        files = on_files(rows(scale), Path(name) / "files", seed)
        faults = live([*FAULTS], Path(name) / "live", seed)
    return {"seed": seed, "scale": scale, "source": "jsonl", "rows": [*files, *faults]}


@click.command(help=__doc__)
@click.option("--scale", default=1.0, help="Windows without drift, as a part of a full run.")
@click.option("--seed", type=int, help="Repeat a run; by default a seed is drawn.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULTS, help="File for the results."
)
def main(scale: float, seed: int | None, out: Path) -> None:
    """Run the rows and add them to the results."""
    console = Console()
    seed = int(np.random.SeedSequence().generate_state(2)[0]) if seed is None else seed
    console.print(f"seed {seed}, scale {scale:g}")
    began_s = time.monotonic()
    found = run(scale, seed)
    for row in found["rows"]:
        console.print(row)
    found |= {"at": time.strftime("%Y-%m-%d"), "seconds": round(time.monotonic() - began_s)}
    before = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps(before | {"service": found}, indent=1) + "\n")
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
