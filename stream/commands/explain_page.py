"""The page that ``driftline explain`` prints, for terminals of 80 columns and more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.diagnosis.new_values import new_value_labels
from detectors.diagnosis.shared_cause import ACTION_WORDS
from detectors.phrases import escaped, number
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause, Violation
from stream.commands.window_text import time_text

MAX_BINS: Final = 25
LABELS: Final = {
    "deciding": "deciding statistic",
    "noise": "noise floor",
    "asked_limit": "configured limit",
    "outlier_share": "outlier share",
    "enabled": "checks enabled",
    "emitted": "metrics emitted",
}
"""Names of fields of a report on the page, if they differ from those in the report."""
FORMULAS: Final = {
    "completeness": "1 - missing / n",
    "std": "standard deviation of the population",
    "outlier_share": "numbers beyond the baseline's smallest and largest / all numbers",
    "value": "the value of the deciding statistic",
    "limit": (
        "the larger of configured limit and noise floor; the former with comparison_method Simple,"
        " and for a p-value, which violates below it"
    ),
    "noise": (
        "exceeded by the deciding statistic by chance, in alpha / judged_features of all windows;"
        " of a p-value that share itself"
    ),
    "SageMaker's distance": (
        "max |F - G| of different numbers, or max |p - q| of text; Robust and LInfinity less 1.8 *"
        " sqrt((n + m) / (n * m)), at least 0; ChiSquared: the p-value, which violates below"
    ),
    "asked_limit": (
        "from the configuration, or from comparison_threshold of the baseline's constraints.json"
    ),
}
SYMBOLS: Final = (
    "p and F: shares of the bins and distribution function in the baseline; q and G: in the window"
)
BINS: Final = (
    "PSI adds half a count to each bin on both sides, and merges bins of fewer than 5 expected"
    " counts into one; the last column is without that merging. ks and wasserstein use finer bins."
)
NO_VALUES: Final = "No row of the window has a value in a bin: there are no shares to compare."
NOISE_DECIDES: Final = (
    "The noise floor decides: the configured limit is below it, and has no effect in a window and"
    " with a baseline of these sizes."
)
DIFFERS: Final = "red"


class RecomputedMetric(NamedTuple):
    """One metric of a report: as recomputed, as published, and whether the two match.

    ``name`` is the field of the report, or the name of a statistic. ``baseline`` is the metric of
    the baseline, ``None`` if it has none. A share is shown in per cent.
    """

    name: str
    baseline: object
    recomputed: object
    published: object
    matches: bool
    is_share: bool = False


class ExplainPage:
    """Prints the page part by part.

    Text from data is shown unchanged, except for characters that would control the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def head(
        self, report: WindowReport, feature: str, rows: int, since_ms: int | None = None
    ) -> None:
        """Print the feature, its window, and since when the model drifts, if it does.

        ``rows`` is the number of rows counted.
        The id is not wrapped, so that it can be copied.
        """
        self._console.print(Text(report.id, "bold"), soft_wrap=True)
        self._line(f"{feature}, in a window of {report.rows:,} rows; window state: {report.state}")
        season = report.season
        if season is not None:
            self._line(f"compared with {season.name} ({season.rows:,} rows of the baseline)")
        if since_ms is not None:
            self._line(f"{report.model} drifts since {time_text(since_ms)} (UTC)")
        if rows != report.rows:
            self._line(f"the counts hold {rows:,} rows", DIFFERS)

    def limits_missing(self, fingerprint: str) -> None:
        """Print that the limits named by the report are not available."""
        self._line(
            f"limits {fingerprint} are not kept here: judged again with the constraints of the"
            " baseline's folder and the rules in the report (--config names the state that keeps"
            " them)"
        )

    def sagemaker_decides(self) -> None:
        """Print that the violations follow from SageMaker's distance, not from the statistic."""
        self._line(
            "rules.mode is sagemaker-compat: SageMaker's distance decides, and the deciding"
            " statistic below is driftline's own reading"
        )

    def evidence_decides(self) -> None:
        """Print that tests over the last windows make the violations, not the statistic."""
        self._line(
            "rules.mode is evidence: the findings at the end of the table decide, and the deciding"
            " statistic is reported beside them"
        )

    def values_missing(self) -> None:
        """Print that the report does not hold the values that SageMaker's distance needs."""
        self._line(
            "the values of this window were too many for its report: SageMaker's distance, and what"
            " follows from values, is shown as published"
        )

    def metrics(self, metrics: Sequence[RecomputedMetric]) -> None:
        """Print a table of the metrics of the feature beside the baseline's, and their formulas."""
        shown = [metric for metric in metrics if not metric.recomputed is metric.published is None]
        columns = ["metric", "baseline", "recomputed", "published"]
        if not all(metric.matches for metric in shown):
            columns.append("")
        table = folding_table(*columns)
        for metric in shown:
            mark, style = ([], None) if metric.matches else (["differs"], DIFFERS)
            values = metric.recomputed, metric.published
            baseline = "" if metric.baseline is None else _value(metric.baseline, metric.is_share)
            texts = [_value(value, metric.is_share) for value in values]
            cells = [_label(metric.name), baseline, *texts]
            table.add_row(*map(escaped, cells), *mark, style=style)
        self._console.print(table)
        self._formulas([metric.name for metric in shown])
        by_evidence = any(metric.name == "budget" for metric in shown)
        if not by_evidence and _noise_decides({metric.name: metric.recomputed for metric in shown}):
            self._line(NOISE_DECIDES)

    def violation(self, published: Violation, recomputed: Violation | None, matches: bool) -> None:
        """Print a violation and its likely cause; ``recomputed`` is the one from the counts."""
        self._console.print()
        self._line(_compared(published), "bold")
        repeats_numbers = repr(published.value) in published.description
        description = "" if repeats_numbers else published.description
        summary = published.summary if published.finding else ""
        for sentence in filter(None, (description, summary, published.diagnosis)):
            self._indented(sentence)
        if published.cause is not None:
            for sentence in _cause_in_words(published.cause):
                self._indented(sentence)
        if recomputed is None:
            self._indented("the counts do not give this violation", DIFFERS)
        elif not matches:
            self._indented(f"differs from the counts: {_compared(recomputed)}", DIFFERS)

    def unpublished(self, recomputed: Violation) -> None:
        """Print a violation that follows from the counts but is not in the report."""
        self._line(f"{_compared(recomputed)}: not published", DIFFERS)

    def bins(self, pair: Pair, feature: int) -> None:
        """Print counts and shares of the bins, the largest change first.

        ``before`` is the baseline, ``after`` the window; the last column is the part of PSI.
        """
        starts = pair.layout.cell_starts
        first, stop = int(starts[feature]), int(starts[feature + 1])
        if not pair.after[first:stop].any():
            self._console.print()
            self._line(NO_VALUES)
            return
        contributions = psi.contributions(pair)[first:stop]
        labels, named = pair.layout.cell_labels(feature), new_value_labels(pair.window, feature)
        table = Table("bin (largest change first)")
        for name in ("before", "after", "share\nbefore", "share\nafter", "part\nof PSI"):
            table.add_column(name, justify="right", no_wrap=True)
        for k in np.argsort(-contributions, kind="stable")[:MAX_BINS].tolist():
            cell = first + k
            if pair.before[cell] + pair.after[cell]:
                table.add_row(
                    Text(escaped(named.get(k, labels[k])), overflow="fold"),
                    str(pair.before[cell]),
                    str(pair.after[cell]),
                    f"{pair.p[cell]:.4f}",
                    f"{pair.q[cell]:.4f}",
                    f"{contributions[k]:.6f}",
                )
        self._console.print("", table)
        self._line(BINS)

    def new_values(self, window: Profile, feature: int) -> None:
        """Print the values that the baseline does not know, as far as the counts name them."""
        named = window.novel.get(window.layout.features[feature].name, {})
        if not named:
            return
        unseen = window.layout.unseen[slice(*window.layout.cell_starts[feature : feature + 2])]
        rows = int(window.counts[window.layout.bins(feature)][unseen].sum())
        others = " and others" if rows > sum(named.values()) else ""
        names = ", ".join(map(repr, named))
        self._line(f"values that the baseline does not know: {names}{others}")

    def verdict(self, matches: bool) -> None:
        """Print whether everything matches what was published."""
        if matches:
            self._line("all recomputed values match", "green")
        else:
            self._line("recomputed values differ from the published ones", DIFFERS)

    def _formulas(self, names: Iterable[str]) -> None:
        table = Table.grid(padding=(0, 2))
        for name in names:
            formula = DISTANCES[name].formula if name in DISTANCES else FORMULAS.get(name)
            if formula:
                table.add_row(Text(_label(name)), Text(formula))
        self._console.print(Text(f"\n{SYMBOLS}"), table)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(escaped(text), style))

    def _indented(self, text: str, style: str = "") -> None:
        self._console.print(Padding(Text(escaped(text), style), (0, 0, 0, 2)))


def folding_table(*columns: str) -> Table:
    """A table whose headings and cells are folded, and not cut, where the terminal is narrow."""
    table = Table()
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def narrow_table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table without lines between its columns: texts, which are folded, then numbers and a mark,
    which stay whole.
    """
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    return table


def _noise_decides(values: Mapping[str, object]) -> bool:
    noise, asked = values.get("noise"), values.get("asked_limit")
    is_raised = values.get("limit") == noise
    return is_raised and isinstance(noise, float) and isinstance(asked, float) and noise > asked


def _cause_in_words(cause: Cause) -> tuple[str, str]:
    """The name of a cause with its numbers, and what to do about it."""
    numbers = [
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else number(value, 3)}"
        for name, value in cause.numbers.items()
    ]
    named = f"cause: {cause.name}" + (f" ({', '.join(numbers)})" if numbers else "")
    return named, f"what to do: {ACTION_WORDS[cause.action]}"


def _compared(violation: Violation) -> str:
    numbers = f"{violation.statistic} {violation.value:.6g}, limit {violation.limit:.6g}"
    return f"{violation.check}: {numbers}"


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _value(value: object, is_share: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_share and isinstance(value, float):
        return f"{100 * value:.10g} %"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
