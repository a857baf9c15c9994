"""What ``driftline explain`` shows, readable from 80 columns on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.report import Violation, WindowReport
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair

MOST_BINS: Final = 25
FORMULAS: Final = {
    "completeness": "1 - missing / n",
    "std": "standard deviation of the population",
    "outlier_share": "numbers beyond the baseline's smallest and largest / all numbers",
    "value": "the deciding statistic",
    "limit": "the larger of asked_limit and noise",
    "noise": (
        "what the deciding statistic exceeds by chance in alpha / judged_features of all windows"
    ),
    "asked_limit": (
        "from the configuration, or from comparison_threshold of the baseline's constraints.json"
    ),
}
LETTERS: Final = (
    "p and F: shares of the bins and distribution function in the baseline; q and G: in the window"
)
DIFFERS: Final = "red"
BINS: Final = (
    "psi adds half a count to each bin on both sides, and merges bins of fewer than 5 expected"
    " counts into one; the last column is without that merging. ks and wasserstein use finer bins."
)


class RecomputedMetric(NamedTuple):
    """One number of a report: as it was rebuilt, as it was published, and whether that is the same."""

    name: str
    rebuilt: object
    published: object
    same: bool


class ExplainPage:
    """Prints one part after the other. Text from data is shown as it is, but for characters that
    would steer the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def head(self, report: WindowReport, feature: str, rows: int) -> None:
        """Which feature of which window; ``rows`` are those in its counts. The id stays in one
        piece, so that it can be copied.
        """
        self._console.print(Text(report.id, "bold"), soft_wrap=True)
        self._say(
            f"{feature}, in a window of {report.rows} rows (the whole window: {report.state})"
        )
        if rows != report.rows:
            self._say(f"the counts hold {rows} rows", DIFFERS)

    def numbers(self, numbers: Sequence[RecomputedMetric]) -> None:
        """A table of those that the feature has, and below it what they mean."""
        shown = [one for one in numbers if not one.rebuilt is one.published is None]
        table = Table(
            "number", "rebuilt", "published", *([] if all(one.same for one in shown) else [""])
        )
        for one in shown:
            mark, style = ([], None) if one.same else (["differs"], DIFFERS)
            table.add_row(
                *map(_visible, (one.name, _text(one.rebuilt), _text(one.published))),
                *mark,
                style=style,
            )
        self._console.print(table)
        self._formulas([one.name for one in shown])

    def violation(self, published: Violation, rebuilt: Violation | None, same: bool) -> None:
        """A check that the feature broke, with the likely cause; ``rebuilt`` is what the counts
        give.
        """
        self._console.print()
        self._say(_compared(published), "bold")
        told = (
            "" if repr(published.value) in published.description else published.description
        )  # it would tell the same numbers again
        for sentence in filter(None, (told, published.diagnosis)):
            self._beside(sentence)
        if not same:
            self._beside(
                (
                    f"differs from the counts: {_compared(rebuilt)}"
                    if rebuilt
                    else "the counts do not give this violation"
                ),
                DIFFERS,
            )

    def unpublished(self, rebuilt: Violation) -> None:
        """A check that the feature broke by its counts, and of which the report says nothing."""
        self._say(f"{_compared(rebuilt)}: not published", DIFFERS)

    def bins(self, pair: Pair, feature: int) -> None:
        """Counts and shares of the bins before and after, the most moved first."""
        start, stop = (
            int(pair.layout.cell_starts[feature]),
            int(pair.layout.cell_starts[feature + 1]),
        )
        parts, labels = psi.contributions(pair)[start:stop], pair.layout.cell_labels(feature)
        table = Table("bin, the most moved first")
        for name in ("before", "after", "share\nbefore", "share\nafter", "adds\nto psi"):
            table.add_column(name, justify="right", no_wrap=True)
        for k in np.argsort(-parts, kind="stable")[:MOST_BINS].tolist():
            cell = start + k
            if pair.before[cell] + pair.after[cell]:
                counts = str(pair.before[cell]), str(pair.after[cell])
                shares = f"{pair.p[cell]:.4f}", f"{pair.q[cell]:.4f}"
                table.add_row(
                    Text(_visible(labels[k]), overflow="fold"), *counts, *shares, f"{parts[k]:.6f}"
                )
        self._console.print("", table)
        self._say(BINS)

    def verdict(self, equal: bool) -> None:
        """Whether all of it is what was published."""
        text, style = (
            ("equal to what was published", "green")
            if equal
            else ("differs from what was published", DIFFERS)
        )
        self._say(text, style)

    def _formulas(self, names: Iterable[str]) -> None:
        table = Table.grid(padding=(0, 2))
        for name in names:
            formula = DISTANCES[name].formula if name in DISTANCES else FORMULAS.get(name)
            if formula:
                table.add_row(Text(name), Text(formula))
        self._console.print(Text(f"\n{LETTERS}"), table)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(_visible(text), style))

    def _beside(self, text: str, style: str = "") -> None:
        self._console.print(Padding(Text(_visible(text), style), (0, 0, 0, 2)))


def _compared(one: Violation) -> str:
    return f"{one.check}: {one.statistic} {one.value:.6g}, limit {one.limit:.6g}"


def _text(value: object) -> str:
    return "-" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
