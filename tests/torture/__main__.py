"""The long versions of the tests: ``python -m tests.torture [section ...]`` writes
``docs/torture.md``.

A section is a function that returns rows; to add one, add a line to ``SECTIONS``. The exit code is
1 if any trial failed.
"""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from datetime import UTC, datetime

from tests.support.machine import processor
from tests.support.paths import ROOT
from tests.torture import replays, schedules, service, waiting
from tests.torture.rows import Section, SectionResult

REPORT = ROOT / "docs" / "torture.md"
MAX_LISTED_FAILURES = 20
"""The number of failures of a section that are listed."""
SECTIONS: list[tuple[str, Section]] = [
    ("The protocol, simulated", schedules.simulated),
    ("Planted bugs", schedules.planted_bugs),
    ("Whole jobs, crashed and resumed", replays.replayed),
    ("Messages of reader processes", replays.encoded),
    ("Waiting predictions", waiting.waiting_rows),
    ("The service, killed", service.killed),
    ("The broker, disturbed", service.disturbed),
    ("Sinks that do not respond", service.shut_out),
    ("Mangled lines", service.mangled),
    ("Long lives", service.long_lives),
]


def main(names: list[str]) -> int:
    """Run the sections whose name contains one of ``names``, or all if there are none.

    The report is written only after a run of all sections.
    """
    chosen = [
        (name, section)
        for name, section in SECTIONS
        if not names or any(part.lower() in name.lower() for part in names)
    ]
    if not chosen:
        print(f"no such section; there are: {', '.join(name for name, _ in SECTIONS)}")
        return 2
    results: list[tuple[str, SectionResult]] = []
    for name, section in chosen:
        print(f"{name} ...", flush=True)
        results.append((name, section()))
        print("\n".join(table(results[-1][1])), flush=True)
    if not names:
        REPORT.write_text(report(results))
        print(f"written: {REPORT}")
    return int(any(row.failures for _, result in results for row in result.rows))


def report(results: list[tuple[str, SectionResult]]) -> str:
    """The report as a page in Markdown."""
    today = datetime.now(UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores of {processor()['processor']}"
    lines = [
        "# Torture",
        "",
        "For contributors. The results of the last `make torture`: the long versions of the tests.",
        "A row has the number of runs of a trial, the number of failures, and the duration of all",
        "runs. A planted bug must be exposed: its row has the number of schedules until one did.",
        "`make test` runs short versions; [CONTRIBUTING.md](../CONTRIBUTING.md) has both lengths.",
        "",
        f"{today}, {machine}, Python {platform.python_version()}.",
    ]
    for name, result in results:
        lines += ["", f"## {name}", "", *table(result)]
    return "\n".join(lines) + "\n"


def table(result: SectionResult) -> list[str]:
    """Rows, failures and counts of a section in Markdown."""
    lines = ["| trial | runs | failures | seconds |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {row.trial} | {row.times:,} | {len(row.failures):,} | {row.seconds:,.1f} |"
        for row in result.rows
    ]
    failures = [failure for row in result.rows for failure in row.failures]
    lines += (
        ["", *(f"* {failure}" for failure in failures[:MAX_LISTED_FAILURES])] if failures else []
    )
    return [*lines, "", *counted(result.counts)] if result.counts else lines


def counted(counts: Counter[str]) -> list[str]:
    """A line for the counts of all trials, and one for each trial that has counts of its own."""
    by_trial: dict[str, list[str]] = {}
    for name, count in counts.most_common():
        trial, _, of_trial = name.rpartition(": ")
        by_trial.setdefault(trial, []).append(f"{count:,} {of_trial.replace('_', ' ')}")
    return [
        f"* Counts of {trial or 'these schedules'}: {', '.join(texts)}."
        for trial, texts in by_trial.items()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
