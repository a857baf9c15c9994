"""The summary: detected incidents, their delays, the model's error, and next steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path

from demo.incidents import HOUR_MS, Incident
from demo.replay import Replay
from demo.run_folder import Folder
from demo.scoring import Detection
from demo.screen import Screen
from demo.traffic import LENGTH_MS, START_MS, WINDOWS
from stream.commands.window_text import time_text

BEFORE_MS = 4 * HOUR_MS
MINUTE_MS = 60_000


def conclude(replay: Replay, screen: Screen, folder: Folder) -> int:
    """Print the summary; return the exit code.

    It is 0 if all incidents were detected and recovered, a permanent one also by the model's error
    and with a new model, and no signal was false.
    """
    for part in (detected, late_signals, errors, verdict):
        lines = part(replay)
        for line in ["", *lines] if lines else []:
            screen.print(line)
    for line in next_steps(replay, folder):
        screen.print(line, wrap=False)
    retrained = bool(replay.handovers) or not has_permanent(replay)
    passed = replay.tally.passed and replay.quality_tally.passed and retrained
    return 0 if passed else 1


def has_permanent(replay: Replay) -> bool:
    """Whether the replay has a permanent incident, which requires a new model."""
    return any(incident.permanent for incident in replay.traffic.incidents)


def detected(replay: Replay) -> list[str]:
    """A line for each incident: the delay of its detection, and whether it recovered."""
    return [
        f"{incident.name:<20} {_outcome(replay, incident)}" for incident in replay.traffic.incidents
    ]


def _outcome(replay: Replay, incident: Incident) -> str:
    detection = replay.tally.detections.get(incident.name)
    if detection is None:
        return "NOT DETECTED"
    ended = "recovered" if incident.name in replay.tally.recovered else "NOT RECOVERED"
    return f"detected after {_delay(detection)}, {ended}"


def _delay(detection: Detection) -> str:
    """The delay of a detection.

    >>> from types import SimpleNamespace
    >>> _delay(SimpleNamespace(after_ms=900_000, after_events=938))
    '15 min (938 events)'
    """
    return f"{detection.after_ms / MINUTE_MS:g} min ({detection.after_events:,} events)"


def late_signals(replay: Replay) -> list[str]:
    """The delay of the quality signal on each incident that has one, beside that of its data."""
    tally = replay.quality_tally
    lines = []
    for incident in replay.traffic.incidents:
        found, data = tally.detections.get(incident.name), replay.tally.detections
        if found is None:
            if incident.permanent:
                lines.append(f"{incident.name}: NO SIGNAL about the model's error")
            continue
        first = data.get(incident.name)
        ended = "recovered" if incident.name in tally.recovered else "NOT RECOVERED"
        of_data = f"data after {_time(first.after_ms)}" if first else "data: NOT DETECTED"
        lines.append(
            f"{incident.name}: {of_data}; model's error after {_time(found.after_ms)}, when its"
            f" labels were in; {ended}"
        )
    return lines


def errors(replay: Replay) -> list[str]:
    """The model's error before the permanent change, during it, and with the new model: as
    driftline measured it from the labels that have come, and from those of all flights.
    """
    lines = []
    for handover in replay.handovers:
        starts = (each.start_ms for each in replay.traffic.incidents if each.permanent)
        change_ms = next(starts, handover.at_ms)
        spans = [
            (change_ms - BEFORE_MS, change_ms),
            (change_ms, handover.at_ms),
            (handover.at_ms, LENGTH_MS),
        ]
        measured = [replay.quality.measured(START_MS + a, START_MS + b) for a, b in spans]
        labels = sum(error.labelled for error in measured)
        lines += [
            _error_line("measured by driftline", [error.rmse for error in measured]),
            _error_line("of all flights", [replay.traffic.rmse(*span) for span in spans]),
            (
                f"{'':<28}(by {labels:,} labels that have come; the new model was trained on"
                f" {handover.events:,})"
            ),
        ]
    return lines


def _error_line(source: str, rmse: Sequence[float | None]) -> str:
    """A line with the error before, during and after the change.

    >>> _error_line("of all flights", [17.25, 2529.2, None])
    'RMSE of all flights         17.2 min before, 2,529.2 min during, no labels after retraining'
    """
    before, during, after = (
        "no labels" if value is None or isnan(value) else f"{value:,.1f} min" for value in rmse
    )
    return f"RMSE {source:<22} {before} before, {during} during, {after} after retraining"


def _time(ms: int) -> str:
    """A duration.

    >>> _time(300_000), _time(15_180_000)
    ('5 min', '4.2 h')
    """
    return f"{ms / MINUTE_MS:.0f} min" if ms < HOUR_MS else f"{ms / HOUR_MS:.1f} h"


def verdict(replay: Replay) -> list[str]:
    """The result, and the number of windows that had a violation without an incident."""
    tally = replay.tally
    incidents = replay.traffic.incidents
    false = len(tally.false_signals) + len(replay.quality_tally.false_signals)
    text = f"{len(tally.detections)} of {len(incidents)} incidents detected, {false} false signals"
    if tally.detections:
        slowest = max(tally.detections.values(), key=lambda detection: detection.after_ms)
        text += f"; the slowest detection took {_delay(slowest)}"
    windows = (
        f"{WINDOWS} windows, {replay.traffic.events:,} events,"
        f" {replay.violations_outside_incidents} windows with a violation outside of incidents"
    )
    judged = (
        f"{replay.quality.judged} windows judged by their labels; the flights of the others have"
        " not landed yet"
    )
    return [text, windows, judged]


def next_steps(replay: Replay, folder: Folder) -> list[str]:
    """The locations of the files, and the next command to try."""
    lines = [
        "",
        f"Reports and signals: {folder.reports}",
        f"Configuration:       {folder.config}",
        f"Service log:         {folder.log}",
    ]
    if replay.tally.detections:
        last = list(replay.tally.detections.values())[-1]
        window = f"{last.signal.model} {_start(last)}"
        lines += [
            "Next: see the windows with findings and error, and recompute a published number,",
            f"      {program()} reports --config {folder.config}",
            f"      {program()} explain {window} {last.incident.cause} --config {folder.config}",
            f"      {program()} explain {window} --config {folder.config}",
            "      then do the same with your own training file and captures: see README.md.",
        ]
    return lines


def _start(detection: Detection) -> str:
    """The start of the window that detected an incident, as ``driftline explain`` reads it."""
    return time_text(detection.signal.start_ms).replace(" ", "T")


def program() -> str:
    """The path of ``driftline`` next to this Python, which may not be on the search path."""
    path = Path(sys.executable).parent / "driftline"
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
