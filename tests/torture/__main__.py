"""The long versions of what the tests try in short: ``python -m tests.torture [section ...]``
writes ``docs/torture.md``.

A section is a function that returns rows; to add one, add a line to ``SECTIONS``. Exit code 1 if
anything was wrong.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime

from benchmarks.core import processor
from tests.support.paths import ROOT
from tests.torture import replays, schedules, service
from tests.torture.rows import Section, Told

REPORT = ROOT / "docs" / "torture.md"
SECTIONS: list[tuple[str, Section]] = [
    ("The protocol, simulated", schedules.simulated),
    ("Planted faults", schedules.planted_bugs),
    ("Whole jobs, crashed and resumed", replays.replayed),
    ("The wire to reader processes", replays.wired),
    ("The service, killed", service.killed),
    ("Sinks that do not answer", service.shut_out),
    ("Mangled lines", service.mangled),
    ("Long lives", service.lived),
]


def main(asked: list[str]) -> int:
    """Run the sections whose name holds one of the words (all without any); the report is written
    when all have run."""
    told: list[tuple[str, Told]] = []
    for name, section in SECTIONS:
        if not asked or any(word.lower() in name.lower() for word in asked):
            print(f"{name} ...", flush=True)
            told.append((name, section()))
            print("\n".join(table(told[-1][1])), flush=True)
    if not told:
        print(f"no such section; there are: {', '.join(name for name, _ in SECTIONS)}")
        return 2
    if not asked:
        REPORT.write_text(report(told))
        print(f"written: {REPORT}")
    return int(any(row.wrong for _, one in told for row in one.rows))


def report(told: list[tuple[str, Told]]) -> str:
    """The page."""
    when = datetime.now(UTC).date().isoformat()
    lines = [
        "# Torture",
        "",
        (
            "What `make torture` last found: the long versions of what the tests try in short. Each"
            " line says how often something was tried,"
        ),
        "how often it went wrong, and how long all of it took.",
        "",
        (
            f"{when}, {os.cpu_count()} cores of {processor()['processor']}, Python"
            f" {platform.python_version()}."
        ),
    ]
    for name, one in told:
        lines += ["", f"## {name}", "", *table(one)]
    return "\n".join(lines) + "\n"


def table(told: Told) -> list[str]:
    """Rows, what was wrong, and what was met, in Markdown."""
    lines = ["| tried | times | wrong | seconds |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {row.what} | {row.times:,} | {len(row.wrong):,} | {row.seconds:,.1f} |"
        for row in told.rows
    ]
    faults = [fault for row in told.rows for fault in row.wrong]
    lines += ["", *(f"* {fault}" for fault in faults[:20])] if faults else []
    if told.met:
        lines += [
            "",
            (
                "Met on the way:"
                f" {', '.join(f'{count:,} {name}' for name, count in told.met.most_common())}."
            ),
        ]
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
