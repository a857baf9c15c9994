"""Prints the verdicts of a replay: a line for each period, and the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.phrases import counted
from stream.commands.replay.comparison import ComparedPeriod
from stream.commands.window_text import span_text
from stream.telemetry.terminal_text import printable

NAMED = 3
"""The number of features of a period that are named at most."""


def print_periods(periods: Sequence[ComparedPeriod], beside: bool, console: Console) -> None:
    """Print the periods in order of time; ``beside``: with the verdicts of Model Monitor."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = names_of(periods)
    titles = ["period (UTC)", *(["model"] if any(names) else []), "rows", "driftline"]
    for title in [*titles, *(["Model Monitor"] if beside else [])]:
        table.add_column(title, justify="right" if title == "rows" else "left", no_wrap=True)
    table.add_column("findings", overflow="fold")
    for period, name in zip(periods, names, strict=True):
        cells = _cells(period, beside)
        if any(names):
            cells.insert(1, printable(name))
        table.add_row(*cells, style="" if period.agrees or not beside else "red")
    console.print(table)
    console.print(Text(_sums(periods, beside)), soft_wrap=True)


def names_of(periods: Sequence[ComparedPeriod]) -> list[str]:
    """Return the model and variant of each period; empty names where all are of one.

    A period that only Model Monitor reported has none.
    """
    reports = [period.report for period in periods]
    models = {report.model for report in reports if report}
    variants = {report.variant for report in reports if report}
    if len(models) <= 1 and len(variants) <= 1:
        return [""] * len(periods)
    return [
        (f"{report.model}/{report.variant}" if len(variants) > 1 else report.model)
        if report
        else ""
        for report in reports
    ]


def _cells(period: ComparedPeriod, beside: bool) -> list[str]:
    report, run = period.report, period.run
    theirs = "no report"
    if run is not None:
        theirs = counted(len(run.violations), "violation") if run.violations else "Completed"
    ours = "no data"
    if report is not None:
        found = report.violations
        ours = counted(len(found), "violation") if found else report.status
        ours += ", incomplete" if found and report.status == "Incomplete" else ""
    return [
        span_text(period.start_ms, period.end_ms),
        f"{report.rows:,}" if report else "",
        ours,
        *([theirs] if beside else []),
        _named(period, beside),
    ]


def _named(period: ComparedPeriod, beside: bool) -> str:
    """The features on which the two systems differ, or else those that violate."""
    shown = [each for each in period.findings if not beside or each.agreement != "both"]
    names = list(dict.fromkeys(printable(finding.feature) for finding in shown))
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _sums(periods: Sequence[ComparedPeriod], beside: bool) -> str:
    violating = sum(bool(period.report and period.report.violations) for period in periods)
    text = f"{counted(len(periods), 'period')}, {violating} with violations"
    if not beside:
        return text
    kinds = Counter(finding.agreement for period in periods for finding in period.findings)
    reported = [period for period in periods if period.both_reported]
    agreeing = sum(period.agrees for period in reported)
    return (
        f"{text}; the verdict of both is the same in {agreeing} of the {len(reported)} that both"
        f" reported. Findings: {kinds['both']} of both,"
        f" {kinds['only Model Monitor']} only of Model Monitor,"
        f" {kinds['only driftline']} only of driftline. Named are those that differ"
    )
