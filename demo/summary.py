"""The summary: detected incidents, their delays, the model's error, and next steps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from demo.incidents import HOUR_MS, Incident
from demo.replay import Replay
from demo.run_folder import Folder
from demo.scoring import Detection
from demo.screen import Screen
from demo.traffic import LENGTH_MS, WINDOWS
from stream.commands.window_text import time_text

BEFORE_MS = 4 * HOUR_MS
MINUTE_MS = 60_000


def conclude(replay: Replay, screen: Screen, folder: Folder) -> int:
    """Print the summary; return the exit code.

    It is 0 if all incidents were detected and recovered, no signal was false, and a permanent
    incident led to a new model.
    """
    screen.print("")
    for line in [*detected(replay), *errors(replay), *verdict(replay)]:
        screen.print(line)
    for line in next_steps(replay, folder):
        screen.print(line, wrap=False)
    retrained = bool(replay.handovers) or not has_permanent(replay)
    return 0 if replay.tally.passed and retrained else 1


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


def errors(replay: Replay) -> list[str]:
    """The model's error before the permanent change, during it, and with the new model."""
    rmse = replay.traffic.rmse
    lines = []
    for handover in replay.handovers:
        incidents = replay.traffic.incidents
        starts = (incident.start_ms for incident in incidents if incident.permanent)
        change_ms = next(starts, handover.at_ms)
        lines.append(
            f"model error (RMSE): {rmse(change_ms - BEFORE_MS, change_ms):.1f} min before,"
            f" {rmse(change_ms, handover.at_ms):,.1f} min during,"
            f" {rmse(handover.at_ms, LENGTH_MS):.1f} min after retraining on"
            f" {handover.events:,} events"
        )
    return lines


def verdict(replay: Replay) -> list[str]:
    """The result, and the number of windows that had a violation without an incident."""
    tally = replay.tally
    incidents = replay.traffic.incidents
    text = (
        f"{len(tally.detections)} of {len(incidents)} incidents detected,"
        f" {len(tally.false_signals)} false signals"
    )
    if tally.detections:
        slowest = max(tally.detections.values(), key=lambda detection: detection.after_ms)
        text += f"; the slowest detection took {_delay(slowest)}"
    windows = (
        f"{WINDOWS} windows, {replay.traffic.events:,} events,"
        f" {replay.violations_outside_incidents} windows with a violation outside of incidents"
    )
    return ["", text, windows]


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
        lines += [
            "Next: see the windows and their findings, and recompute a published number,",
            f"      {program()} reports --config {folder.config}",
            (
                f"      {program()} explain {last.signal.model} {_start(last)}"
                f" {last.incident.cause} --config {folder.config}"
            ),
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
