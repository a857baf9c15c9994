"""A folder of reports of 40 hours, with a fault in hours 20 to 25, as a job has written them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from stream.baselining.build import BuiltBaseline, write
from stream.testing.baselines import Values, baseline, normal, window

HOUR_MS = 3_600_000
HOURS = 40
FAULT = range(20, 26)
BASE = baseline({"x": normal(1, 4_000), "y": normal(2, 4_000)})
CONFIG = """
job: j
source: {{type: jsonl, path: events.jsonl}}
format: {{type: json, features: request}}
model: {{from: const, name: m}}
models:
  m: {{baseline: b}}
window: 1h
rules: {rules}
"""


def rows(hour: int) -> dict[str, Values]:
    """200 rows of an hour; in the fault ``x`` is larger by one deviation."""
    rng = np.random.default_rng(hour)
    return {"x": rng.normal(1.0 if hour in FAULT else 0.0, 1, 200), "y": rng.normal(0, 1, 200)}


def lived(rules: Rules) -> tuple[list[WindowReport], list[Signal]]:
    """The reports and the signals of a job that has these rules, from its own loop."""
    judge = Judge("j", rules, every_ms=HOUR_MS)
    state, history = EpisodeState(), History()
    reports: list[WindowReport] = []
    signals: list[Signal] = []
    for hour in range(HOURS):
        span = WindowSpan(
            model="m", variant="v", start_ms=hour * HOUR_MS, end_ms=(hour + 1) * HOUR_MS
        )
        profile = window(BASE.layout, rows(hour))
        report = judge.report(span, BASE, profile, state, history)
        if judge.remembers(report):
            tallies = tally_layout(BASE).tallies(profile.counts)
            history.add(PastWindow(span.start_ms, span.end_ms, tallies))
        state, raised = judge.advance(state, report, BASE)
        reports.append(report)
        signals += raised
    return reports, signals


def written(folder: Path, reports: list[WindowReport], rules: str = "{}") -> Path:
    """The configuration of a folder with the reports and the baseline."""
    (folder / "reports").mkdir()
    lines = b"".join(msgspec.json.encode(report) + b"\n" for report in reports)
    (folder / "reports" / "reports-1970-01-01.jsonl").write_bytes(lines)
    save(BASE, folder / "b")
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(rules=rules))
    return config


def save(base: Baseline, folder: Path) -> None:
    """Write a baseline without the files that only people read."""
    write(BuiltBaseline(base, {}, {}, {}), folder)
    (folder / "constraints.json").unlink()
