"""Prints what a backtest has found: the signals, the incidents, the settings that were tried."""

from __future__ import annotations

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.diagnosis.shared_cause import ACTION_WORDS
from detectors.phrases import counted, number
from detectors.report import Signal
from detectors.violation import Violation
from stream.commands.backtest.result import Result
from stream.commands.backtest.tuning import Trial
from stream.commands.window_text import span_text, violation_text, worst_first
from stream.telemetry.terminal_text import printable

HOUR_MS = 3_600_000


def print_backtest(result: Result, console: Console) -> None:
    """Print the tables, then one line with the sums."""
    if result.backtest.signals:
        _print(console, _signals(result))
    if result.findings.incidents:
        _print(console, _incidents(result))
    if result.trials:
        _print(console, _trials(result))
    console.print(Text(sums(result)), soft_wrap=True)
    if result.most_a_week is not None:
        console.print(Text(advice(result)), soft_wrap=True)


def sums(result: Result) -> str:
    """What was judged and what would have been told, in one sentence."""
    backtest, findings = result.backtest, result.findings
    names = {window.key for window in backtest.windows}
    violating = sum(window.state == "violations" for window in backtest.windows)
    text = (
        f"{counted(len(backtest.windows), 'window')} of {counted(len(names), 'model')},"
        f" {span_text(*backtest.span_ms)} (UTC): {violating:,} with violations,"
        f" {counted(len(backtest.raised), 'signal')}"
    )
    if findings.incidents:
        text += (
            f"; {findings.found} of {counted(len(findings.incidents), 'incident')} found,"
            f" {counted(len(findings.others), 'signal')} about none"
            f" ({number(findings.others_a_week)} a week)"
        )
    return text


def advice(result: Result) -> str:
    """The settings to write into the configuration, or why there are none."""
    if result.best is None:
        does = "finds every incident within" if result.findings.incidents else "stays within"
        return f"no setting {does} the rate: see the table, or raise the rate"
    settings = ", ".join(f"{key}: {value}" for key, value in result.best.settings.items())
    if len({trial.outcome for trial in result.trials}) == 1:
        return (
            "the settings made no difference, all of them find the same; the nearest to those in"
            f" force: `rules: {{{settings}}}`"
        )
    return f"the quietest: `rules: {{{settings}}}`"


def cause_of(signal: Signal) -> str:
    """The worst reasons of a signal in words, with their causes and what to do about them."""
    reasons = worst_first(list(signal.reasons))
    texts = [
        _reason(reason) if reason.summary else violation_text(reason) for reason in reasons[:2]
    ]
    more = f" and {len(reasons) - 2} more" if len(reasons) > 2 else ""
    advice = f". What to do: {ACTION_WORDS[signal.action]}" if signal.causes else ""
    return "; ".join(texts) + more + advice


def _reason(reason: Violation) -> str:
    """The feature, the summary, and the cause if one is known."""
    parts = f"{reason.feature}: {reason.summary}", reason.diagnosis
    return printable("; ".join(filter(None, parts)))


def duration(ms: float | None) -> str:
    """A time span in words.

    >>> duration(90 * 60_000), duration(40_000), duration(3 * 86_400_000), duration(None)
    ('1.5h', '40s', '3d', '')
    """
    if ms is None:
        return ""
    for unit, length in (("d", 24 * HOUR_MS), ("h", HOUR_MS), ("m", 60_000)):
        if ms >= (2 if unit == "d" else 1) * length:
            return f"{number(ms / length)}{unit}"
    return f"{number(ms / 1000)}s"


def _print(console: Console, table: Table) -> None:
    console.print(table)
    console.print()


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        last = title == titles[-1]
        table.add_column(title, overflow="fold" if last else "ellipsis", no_wrap=not last)
    return table


def _signals(result: Result) -> Table:
    table = _table("window (UTC)", "model", "signal", "why")
    false = {signal.id for signal in result.findings.others}
    for signal in result.backtest.signals:
        is_false = bool(result.findings.incidents) and signal.id in false
        name = (
            signal.model if signal.variant == "AllTraffic" else f"{signal.model}/{signal.variant}"
        )
        table.add_row(
            span_text(signal.start_ms, signal.end_ms),
            printable(name),
            signal.kind,
            "" if signal.kind == "recovered" else cause_of(signal),
            style="red" if is_false else "dim" if signal.kind in ("recovered", "reminder") else "",
        )
    return table


def _incidents(result: Result) -> Table:
    table = _table("incident", "model", "from (UTC)", "found after", "by")
    for each in result.findings.incidents:
        incident, signal = each.incident, each.signal
        table.add_row(
            printable(incident.name or "-"),
            printable(incident.model),
            span_text(incident.from_ms, incident.to_ms),
            duration(each.delay_ms) if signal else "not found",
            cause_of(signal) if signal else "",
            style="" if signal else "red",
        )
    return table


def _trials(result: Result) -> Table:
    keys = [*result.trials[0].settings]
    table = _table(*keys, "found", "median delay", "other signals a week", " ")
    for trial in result.trials:
        findings = trial.findings
        table.add_row(
            *map(str, trial.settings.values()),
            f"{findings.found}/{len(findings.incidents)}" if findings.incidents else "-",
            duration(findings.median_delay_ms),
            number(findings.others_a_week),
            "<- quietest" if trial is result.best else "",
            style="bold" if trial is result.best else "",
        )
    return table


def as_json(result: Result) -> bytes:
    """The result as one JSON document."""
    start_ms, end_ms = result.backtest.span_ms
    findings = result.findings
    document: dict[str, Any] = {
        "start_ms": start_ms,
        "end_ms": end_ms,
        "windows": len(result.backtest.windows),
        "signals": result.backtest.signals,
        "incidents": [
            {
                "model": each.incident.model,
                "name": each.incident.name,
                "from_ms": each.incident.from_ms,
                "to_ms": each.incident.to_ms,
                "signal": each.signal.id if each.signal else None,
                "delay_ms": each.delay_ms,
            }
            for each in findings.incidents
        ],
        "other_signals": [signal.id for signal in findings.others],
        "other_signals_a_week": findings.others_a_week,
        "notes": result.notes,
    }
    if result.most_a_week is not None:
        document["trials"] = [_trial(trial) for trial in result.trials]
        document["quietest"] = None if result.best is None else result.best.settings
    return msgspec.json.format(msgspec.json.encode(document))


def _trial(trial: Trial) -> dict[str, Any]:
    findings = trial.findings
    return {
        **trial.settings,
        "found": findings.found,
        "median_delay_ms": findings.median_delay_ms,
        "other_signals_a_week": findings.others_a_week,
    }
