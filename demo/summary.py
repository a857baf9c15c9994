"""The last lines: what was found, how soon, what it did to the model, and where to read on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from demo.incidents import HOUR_MS
from demo.replay import Replay
from demo.run_folder import Folder
from demo.screen import Screen
from demo.traffic import LENGTH_MS, WINDOWS

BEFORE_MS = 4 * HOUR_MS


def conclude(play: Replay, screen: Screen, folder: Folder) -> int:
    """Say how it went; returns the exit code: 0 if all incidents were found and recovered from, and
    nothing false was told.
    """
    screen.say("")
    for line in [*findings(play), *errors(play), *verdict(play), *reading(play, folder)]:
        screen.say(line)
    return 0 if play.tally.passed and (play.handovers or not lasting(play)) else 1


def lasting(play: Replay) -> bool:
    """Whether an incident of this replay is for good, so that a new model is called for."""
    return any(one.for_good for one in play.traffic.incidents)


def findings(play: Replay) -> list[str]:
    """A line an incident: its first signal, how long after its beginning, and whether it recovered."""
    out = []
    for incident in play.traffic.incidents:
        found = play.tally.found.get(incident.name)
        if found is None:
            out.append(f"{incident.name:<20} NOT FOUND")
            continue
        ended = "recovered" if incident.name in play.tally.recovered else "NOT RECOVERED"
        when = (
            f"first signal after {found.after_ms // 1000:>5,} s of event time /"
            f" {found.after_events:>5,} events"
        )
        out.append(f"{incident.name:<20} {when}, {ended}")
    return out


def errors(play: Replay) -> list[str]:
    """The model's error before the lasting change, during it, and with the new model."""
    out = []
    for handover in play.handovers:
        first_ms = next(
            (one.start_ms for one in play.traffic.incidents if one.for_good), handover.at_ms
        )
        rmse = play.traffic.rmse
        out.append(
            f"model error (RMSE): {rmse(first_ms - BEFORE_MS, first_ms):.1f} min before,"
            f" {rmse(first_ms, handover.at_ms):,.1f} min during,"
            f" {rmse(handover.at_ms, LENGTH_MS):.1f} min after retraining on {handover.events:,}"
            " events"
        )
    return out


def verdict(play: Replay) -> list[str]:
    """The line that counts, and what else must be said."""
    tally, incidents = play.tally, play.traffic.incidents
    text = (
        f"{len(tally.found)} of {len(incidents)} incidents found, {len(tally.false)} false signals"
    )
    if tally.found:
        slowest = max(tally.found.values(), key=lambda one: one.after_ms)
        text += (
            f", first signal after at most {slowest.after_ms // 1000:,} s of event time /"
            f" {slowest.after_events:,} events"
        )
    alarmed = f"{play.alarmed_for_nothing} windows with a violation outside incidents"
    quiet = f"{WINDOWS} windows, {play.traffic.events:,} events, {alarmed}"
    return ["", text, quiet]


def reading(play: Replay, folder: Folder) -> list[str]:
    """Where the reports lie, and what to do next."""
    lines = [
        "",
        f"Reports and signals: {folder.reports}",
        f"Configuration:       {folder.config}    service log: {folder.log}",
    ]
    if play.tally.found:
        last = list(play.tally.found.values())[-1]
        lines += [
            "Next: have a published number rebuilt from its counts,",
            (
                f"      {program()} explain {last.signal.report} {last.incident.cause} --config"
                f" {folder.config}"
            ),
            (
                "      then do the same with your own training file and capture files: README.md"
                " shows how."
            ),
        ]
    return lines


def program() -> str:
    """How to call driftline from here: it lies beside this Python, which need not be on the path."""
    path = Path(sys.executable).parent / "driftline"
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
