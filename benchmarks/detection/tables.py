"""The figures of a run as Markdown: ``python -m benchmarks.detection.tables [FILE]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.detection.__main__ import RESULTS

Figures = dict[str, Any]
ASKED: Final = (
    (1_000, "shift 0.25", 0.95),
    (1_000, "scale x1.2", 0.95),
    (1_000, "mix TV 0.1", 0.95),
    (1_000, "new value 1 %", 0.95),
    (1_000, "nulls 1 %", 0.95),
    (1_000, "2 % value gone", 0.95),
    (10_000, "shift 0.1", 0.90),
    (10_000, "mix TV 0.05", 0.90),
    (100, "shift 0.5", 0.95),
    (100, "scale x1.5", 0.90),
    (100, "nulls 5 %", 0.95),
    (100, "mix TV 0.2", 0.60),
    (1_000, "top 1 % doubled", 0.95),
)
"""The share of trials that is to be found within three windows, by rows a window and drift."""
ORDER: Final = (
    "driftline threshold", "driftline evidence", "Evidently", "NannyML", "KS/chi2", "PSI",
    "SageMaker", "ADWIN", "Page-Hinkley", "KSWIN",
)  # fmt: skip


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def calm_table(rows: list[Figures]) -> str:
    """Streams without drift: windows, those with a violation, and signals, by mode."""
    sums: dict[tuple[str, str, int], list[int]] = {}
    for row in rows:
        total = sums.setdefault((row["stream"], row["mode"], row["n"]), [0, 0, 0, 0])
        counts = (row["windows"], row["violating"], row["signals"].get("opened", 0))
        for k, count in enumerate((*counts, sum(row["signals"].values()))):
            total[k] += count
    return table(
        (
            "stream",
            "mode",
            "rows a window",
            "windows",
            "with a violation",
            "signals opened",
            "all signals",
        ),
        [
            (*key[:2], f"{key[2]:,}", f"{w:,}", f"{100 * v / w:.2f} %", opened, signals)
            for key, (w, v, opened, signals) in sorted(sums.items())
        ],
    )


def power_table(rows: list[Figures], n: int) -> str:
    """By drift and method: the share found within three windows, and the median wait."""
    cells = {(row["drift"], row["method"]): row for row in rows if row["n"] == n}
    methods = [method for method in ORDER if any(key[1] == method for key in cells)]
    drifts = list(dict.fromkeys(key[0] for key in cells))
    return table(
        ("drift", *methods), [(d, *(_cell(cells.get((d, m))) for m in methods)) for d in drifts]
    )


def _cell(row: Figures | None) -> str:
    if row is None:
        return ""
    median = row["median_windows"]
    return f"{100 * row['within_3']:.0f} % ({'never' if median is None else f'{median:g}'})"


def asked_table(rows: list[Figures]) -> str:
    """What was asked of driftline, beside what each of its modes does."""
    cells = {(row["n"], row["drift"], row["method"]): row for row in rows}
    methods = [method for method in ORDER if "driftline" in method]
    return table(
        ("rows a window", "drift", "asked", *methods),
        [
            (
                f"{n:,}",
                drift,
                f"{100 * asked:.0f} %",
                *(_cell(cells.get((n, drift, m))) for m in methods),
            )
            for n, drift, asked in ASKED
        ],
    )


def bound_table(rows: list[Figures]) -> str:
    """Events to the signal beside CUSUM's."""
    return table(
        (
            "drift",
            "rows a window",
            "method",
            "events",
            "CUSUM's events",
            "ratio, CUSUM's plus one window",
        ),
        [
            (
                row["drift"],
                f"{row['n']:,}",
                row["method"],
                "never" if row["events"] is None else f"{row['events']:,.0f}",
                f"{row['cusum_events']:,.0f}",
                "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            )
            for row in rows
        ],
    )


def early_table(figures: Figures) -> str:
    """Seconds from a fault to the signal, in windows that are still open."""
    return table(
        ("fault at 1,000 events/s", "trials", "seconds to the signal, median", "95 %"),
        [
            (row["fault"], row["trials"], _seconds(row["median_s"]), _seconds(row["p95_s"]))
            for row in figures["faults"]
        ],
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"


def joint_table(rows: list[Figures]) -> str:
    """Changes of dependence found in one window, and windows without any change."""
    return table(
        ("stream of 20 features", "rows a window", "windows", "joint drift", "another violation"),
        [
            (row["stream"], f"{row['n']:,}", f"{row['windows']:,}", row["joint"], row["others"])
            for row in rows
        ],
    )


def peers_calm_table(rows: list[Figures]) -> str:
    """By method: of a thousand windows of 20 features without drift, those that are flagged."""
    cells = {(row["method"], row["n"]): row for row in rows}
    sizes = sorted({row["n"] for row in rows})
    return table(
        ("method", *(f"{n:,} rows" for n in sizes)),
        [
            (m, *(_flagged(cells.get((m, n))) for n in sizes))
            for m in ORDER
            if (m, sizes[0]) in cells
        ],
    )


def _flagged(row: Figures | None) -> str:
    return "" if row is None else f"{1000 * row['flagged'] / row['windows']:.0f}"


def service_table(figures: Figures) -> str:
    """What the whole service delivered on each row, beside its promise."""
    return table(
        ("row", "asked", "found", "false signals", "kept", "all rows counted"),
        [
            (
                row["row"],
                row["asked"],
                _found(row),
                row["false_signals"],
                _yes(row["kept"]),
                _yes(row["balanced"] and row["all_rows_counted"]),
            )
            for row in figures["rows"]
        ],
    )


def _found(row: Figures) -> str:
    if "found_after_s" in row:
        return _seconds(row["found_after_s"]) + " s"
    if row["found_in_window"] is not None:
        return f"window {row['found_in_window']}"
    return f"{row['violating']} of {row['windows']} windows violate"


def _yes(kept: bool) -> str:
    return "yes" if kept else "no"


def page(figures: Figures) -> str:
    """All tables."""
    scales = ", ".join(f"{row} {scale:g}" for row, scale in figures["scales"].items())
    parts = [f"Seed {figures['seed']}, {figures['at']}; scales: {scales}.\n"]
    rows = ("calm", "identifiers", "dependent", "seasons")
    parts += [calm_table(figures[row]) for row in rows if row in figures]
    for row in figures.get("seasons-shift", ()):
        parts.append(
            f"In season, {row['n']:,} rows a window: a shift of {row['shift']:g} found in"
            f" {row['found']} of {row['hours']} hours within three windows, the last after"
            f" {row['longest']}.\n"
        )
    if "causes" in figures:
        named = figures["causes"]
        parts.append(
            f"Causes: {named['right']} of {named['faults']} faults right in nine of ten trials;"
            f" trials {named['trials']}; a wrong one for {named['with_a_wrong_cause'] or 'none'}.\n"
        )
    if "early" in figures:
        early = figures["early"]
        windows, false = early["quiet_windows"], early["false_signals"]
        parts += [early_table(early), f"Without a fault: {false} of {windows} windows.\n"]
    if "service" in figures:
        parts += [f"The whole service, seed {figures['service']['seed']}:\n"]
        parts.append(service_table(figures["service"]))
    if "joint" in figures:
        parts.append(joint_table(figures["joint"]))
    if "peers-calm" in figures:
        parts.append(peers_calm_table(figures["peers-calm"]))
    if "power" in figures:
        parts += [asked_table(figures["power"]), bound_table(figures["bound"])]
        for n in sorted({row["n"] for row in figures["power"]}):
            parts += [f"{n:,} rows a window:\n", power_table(figures["power"], n)]
    return "\n".join(parts)


if __name__ == "__main__":
    file = Path(sys.argv[1]) if sys.argv[1:] else RESULTS
    print(page(json.loads(file.read_text())))
