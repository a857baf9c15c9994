"""The peers' answers: each library runs in an environment of its own, some tasks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from benchmarks.core import environment
from benchmarks.detection.kinds import DRIFTS, EVERYDAY, is_text
from benchmarks.detection.power import REFERENCE_ROWS, Delays, Trials

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = ("fixed", "evidently", "nannyml", "river")
SIZES: Final = (100, 1_000, 10_000)


class PeerBatch(NamedTuple):
    """Tasks of one peer, for one process."""

    peer: str
    tasks: tuple[dict[str, Any], ...]


def install() -> None:
    """Create the environments of the peers that are not there yet."""
    for peer in PEERS:
        _python(peer)


def versions() -> dict[str, str]:
    """The pinned version of each peer that is a library of its own."""
    lines = [
        (ROOT / "benchmarks" / "peers" / f"{peer}.txt").read_text().splitlines()[0]
        for peer in PEERS
        if peer != "fixed"
    ]
    return dict(line.split("==") for line in lines)


def _python(peer: str) -> str | Path:
    """``fixed`` needs what driftline needs itself."""
    return sys.executable if peer == "fixed" else environment(peer)


def calm(scale: float) -> list[PeerBatch]:
    """The everyday features without drift."""
    return [
        PeerBatch(
            peer,
            tuple(
                {"kinds": EVERYDAY, "m": REFERENCE_ROWS, "n": n, "repeat": repeat}
                | {"windows": max(10, round(scale * _WINDOWS[peer] / (1 + 4 * (n == 10_000))))}
                for repeat in range(2)
            ),
        )
        for peer in PEERS
        for n in SIZES
    ]


_WINDOWS: Final = {"fixed": 300, "evidently": 150, "nannyml": 300, "river": 100}
_TRIALS: Final = {"fixed": 8, "evidently": 6, "nannyml": 6, "river": 4}


def power(scale: float, drifts: Sequence[str] = ()) -> list[PeerBatch]:
    """The drifts; of trials that driftline has too, the first ones."""
    batches = []
    for peer in PEERS:
        repeats = max(2, round(_TRIALS[peer] * scale))
        tasks = [
            {"drift": drift, "n": n, "m": REFERENCE_ROWS, "base": base}
            | {"repeats": repeats // (1 + (n == 10_000)), "most": 60 if "ramp" in drift else 20}
            for drift in drifts or DRIFTS
            if peer != "river" or not is_text(DRIFTS[drift].kind)
            for n in SIZES
            for base in range(max(2, round(3 * scale)))
        ]
        parts = min(len(tasks), 8)
        batches += [PeerBatch(peer, tuple(tasks[k::parts])) for k in range(parts)]
    return batches


def run(batch: PeerBatch, seed: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each task with its answer, see :mod:`benchmarks.detection.peers.leg`."""
    result = subprocess.run(
        [_python(batch.peer), "-m", "benchmarks.detection.peers.leg", batch.peer],
        input=json.dumps([task | {"seed": seed} for task in batch.tasks]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if result.returncode:
        raise click.ClickException(f"peer {batch.peer} failed:\n{result.stderr[-2000:]}")
    answers = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return list(zip(batch.tasks, answers, strict=True))


def delays(answers: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Delays]:
    """The answers to trials of drifts, as driftline's."""
    found = []
    for task, answer in answers:
        own = {key: task[key] for key in ("drift", "n", "base", "repeats", "most")}
        found += [Delays(Trials(method=m, **own), tuple(windows)) for m, windows in answer.items()]
    return found


def calm_figures(
    answers: Sequence[tuple[dict[str, Any], dict[str, Any]]],
) -> list[dict[str, Any]]:
    """By method and n: windows without drift, those with a flag, and flags of all features."""
    sums: dict[tuple[str, int], dict[str, int]] = {}
    for task, answer in answers:
        for method, counts in answer.items():
            row = sums.setdefault((method, task["n"]), dict.fromkeys(counts, 0))
            for name, count in counts.items():
                row[name] += count
    return [{"method": method, "n": n} | row for (method, n), row in sums.items()]
