"""One input for many runs: capture lines with planted disorder, late events, rejects and misfits;
and how two runs are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from stream.baselining import build as baselining
from stream.config.load import parse
from stream.config.model import Config
from tests.support import events

EVENTS, PER_S, START_MS = 4_000, 20, 1_750_000_000_000
WINDOW_MS, PANE_MS, GRACE_MS, LATENESS_MS = 20_000, 10_000, 3_000, 20_000
KEYS = (("a", "blue"), ("a", "green"), ("b", "blue"), ("b", "green"))
NOBODY = ("nobody", "blue")

Place = tuple[str, str, int]
"""Model, variant, and the end of a window."""


class Planted(NamedTuple):
    """A capture line, when it says it happened (``None``: nobody can tell), whose it is, and
    whether its row can be counted."""

    line: bytes
    time_ms: int | None
    key: tuple[str, str]
    row: bool


def planted(seed: int = 5, very_late: bool = True) -> list[Planted]:
    """Events in the order in which they came: most within the grace, some late, some of these too
    late; a stretch of drift in model a."""
    random, columns = Random(seed), events.values(EVENTS, seed)
    drifted = range(EVENTS * 2 // 5, EVENTS * 3 // 4)
    columns["amount"] = [
        str(float(x) * 20 + 7) if k in drifted and k % 4 < 2 else x
        for k, x in enumerate(columns["amount"])
    ]
    odd = set(random.sample(range(EVENTS), EVENTS // 80))
    columns["plan"] = [f"{x},surplus" if k in odd else x for k, x in enumerate(columns["plan"])]
    lines = events.capture_lines(columns, start_ms=START_MS, events_a_second=PER_S)
    out = [_planted(random, k, line, k not in odd) for k, line in enumerate(lines)]
    delays = (0, 0, 1, 2) if not very_late else (0,) * 20 + (1, 2) * 15 + (8, 60)
    delayed = sorted(range(EVENTS), key=lambda k: k + PER_S * random.choice(delays))
    return [out[k] for k in delayed]


def _planted(random: Random, k: int, line: bytes, fits: bool) -> Planted:
    time_ms, chance = START_MS + k * 1000 // PER_S // 1000 * 1000, random.random()
    if chance < 0.01:
        return Planted(line[: len(line) // 2], None, KEYS[0], False)
    key = NOBODY if chance < 0.02 else KEYS[k % 4]
    return Planted(
        line[:-1] + f',"model":"{key[0]}","variant":"{key[1]}"}}'.encode(),
        time_ms,
        key,
        fits and key != NOBODY,
    )


def plain_rows(came: Iterable[Planted]) -> Counter[Place]:
    """Rows of each window, in plain loops: what is not too late for its pane counts in all windows
    above it."""
    rows: Counter[Place] = Counter()
    mark = 0
    for one in came:
        if one.time_ms is None:
            continue
        mark = max(mark, one.time_ms)
        pane = one.time_ms // PANE_MS * PANE_MS
        if one.row and pane + PANE_MS + GRACE_MS + LATENESS_MS > mark:
            for end in range(pane + PANE_MS, pane + WINDOW_MS + PANE_MS, PANE_MS):
                rows[(*one.key, end)] += 1
    return rows


def write_baseline(folder: Path) -> None:
    """The baseline of both models."""
    baselining.write(
        baselining.make(lambda: [pa.table(events.values(3_000, 4))], events.OUTPUTS), folder
    )


def deal(came: Sequence[Planted], folder: Path, files: int) -> list[str]:
    """The events in so many files, each in the order in which they came."""
    names = []
    for k in range(files):
        names.append(str(folder / f"captures-{files}-{k}.jsonl"))
        mine = [one.line for j, one in enumerate(came) if j * 7 % 11 % files == k]
        Path(names[-1]).write_bytes(b"".join(line + b"\n" for line in mine))
    return names


def config(folder: Path, baseline: Path, files: list[str], **changes: Any) -> Config:
    """A job over these files; its state and reports lie in ``folder``."""
    plain: dict[str, Any] = {
        "job": "golden",
        "source": {"type": "jsonl", "path": files},
        "format": {"type": "sagemaker"},
        "model": {"from": "path", "name": "model"},
        "variant": {"from": "path", "name": "variant"},
        "models": {name: {"baseline": str(baseline)} for name in ("a", "b")},
        "window": "20s",
        "every": "10s",
        "grace": "3s",
        "lateness": "20s",
        "idle": "10m",
        "rules": {"min_n": 60},
        "sinks": [{"type": "jsonl", "path": "reports"}],
        "http": {"port": 0},
    }
    folder.mkdir(parents=True, exist_ok=True)
    return parse({**plain, **changes}, folder)


class Told(NamedTuple):
    """Everything that a run has said."""

    reports: list[WindowReport]
    signals: list[Signal]

    @property
    def first(self) -> set[str]:
        """The ids of all windows and silences as they were told first."""
        return {
            report.id for report in self.reports if not report.revision or report.state == "no data"
        }

    @property
    def newest(self) -> dict[Place, WindowReport]:
        """The last revision of each window; fails if one id came with two contents."""
        seen: dict[str, WindowReport] = {}
        out: dict[Place, WindowReport] = {}
        for report in self.reports:
            assert seen.setdefault(report.id, report) == report, f"{report.id} has two contents"
            if report.state != "no data" and report.end_ms is not None:
                place = report.model, report.variant, report.end_ms
                if place not in out or report.revision > out[place].revision:
                    out[place] = report
        return out

    @property
    def rows(self) -> Counter[Place]:
        """Rows of each window in its last revision."""
        return Counter({place: report.rows for place, report in self.newest.items()})


def assert_equal_windows(got: Told, want: Told, baseline: Baseline) -> None:
    """The same windows with the same last words: integers, texts and ids exactly, floats to 1e-9;
    and the same signals."""
    assert got.first == want.first
    assert {one.dedupe_id for one in got.signals} == {one.dedupe_id for one in want.signals}
    assert got.newest.keys() == want.newest.keys()
    for place, report in want.newest.items():
        assert_equal_reports(got.newest[place], report, baseline)


def assert_equal_reports(got: WindowReport, want: WindowReport, baseline: Baseline) -> None:
    """How often a window was told again depends on the moment of a tick, what was told last does
    not."""
    here, there = (
        msgspec.structs.replace(one, profile=b"", id="", revision=0) for one in (got, want)
    )
    assert_close(msgspec.to_builtins(here), msgspec.to_builtins(there), want.id)
    mine, theirs = (Profile.decode(one.profile, baseline.layout) for one in (got, want))
    assert mine.rows == theirs.rows
    for name in ("counts", "low", "high"):
        assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes(), (
            f"{want.id}: {name}"
        )
    assert mine.sums == pytest.approx(theirs.sums, rel=1e-9, abs=1e-9)


def assert_close(got: object, want: object, where: str) -> None:
    """Equal in all but the last digits of floats."""
    if isinstance(want, dict):
        assert isinstance(got, dict)
        assert got.keys() == want.keys(), where
        for name in want:
            assert_close(got[name], want[name], f"{where} {name}")
    elif isinstance(want, list | tuple):
        assert isinstance(got, list | tuple)
        assert len(got) == len(want), where
        for k, (mine, theirs) in enumerate(zip(got, want, strict=True)):
            assert_close(mine, theirs, f"{where} {k}")
    elif isinstance(want, float) and isinstance(got, float):
        assert got == pytest.approx(want, rel=1e-9, abs=1e-9), where
    else:
        assert got == want, where
