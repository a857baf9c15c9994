"""The section on the quality of a model that ``driftline explain`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.phrases import counted, escaped, number, percent
from detectors.quality_report import EstimateSection, MetricReport, QualityReport
from stream.commands.window_text import span_text, time_text

CONSTANT: Final = "_best_constant_classifier"
"""The end of the names of metrics of the best constant answer."""
MOST_CLASSES: Final = 12
"""The largest number of classes whose confusion matrix is printed."""
DIGITS: Final = 4
UNITS_S: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
BELOW: Final = "LessThanThreshold"


class QualityPage:
    """Prints the section part by part; names of classes cannot control the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def print(self, report: QualityReport) -> None:
        """Print the quality of a window: coverage, metrics, violations, confusion, estimates."""
        self._head(report)
        if report.metrics:
            self._metrics(report)
        for violation in report.violations:
            self._line(violation.summary or violation.description, "bold red")
        if report.confusion_matrix:
            self._confusion(report.confusion_matrix)
        if report.per_class:
            self._per_class(report.per_class)
        if report.estimates is not None:
            self._estimates(report.estimates)

    def _head(self, report: QualityReport) -> None:
        self._console.print()
        self._console.print(Text(report.id, "bold"), soft_wrap=True)
        final = ", final" if report.final else ""
        window = span_text(report.start_ms, report.end_ms)
        self._line(f"quality of {report.model} in {window} (UTC): {report.state}{final}")
        coverage = "" if report.coverage is None else f" ({percent(report.coverage)})"
        self._line(
            f"{report.labelled:,} of {counted(report.predictions, 'prediction')} have a"
            f" label{coverage}{_delay(report.label_delay_s)}"
        )
        if report.labels_until_ms is not None:
            self._line(f"labels are counted up to {time_text(report.labels_until_ms)} (UTC)")
        for note in report.notes:
            self._line(note)

    def _metrics(self, report: QualityReport) -> None:
        """A table of the metrics, those with a limit first.

        Those of a constant answer, which nobody judges, are in the report.
        """
        table = Table(box=None, pad_edge=False)
        table.add_column("metric", no_wrap=True)
        for heading in ("baseline", "value", "interval", "limit"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        shown = [metric for metric in report.metrics if not metric.name.endswith(CONSTANT)]
        ordered = sorted(shown, key=lambda metric: metric.limit is None)
        for metric in ordered:
            cells = (
                metric.name,
                _number(metric.baseline),
                _number(metric.value),
                _interval(metric.low, metric.high),
                _limit(metric),
                _verdict(metric),
            )
            style = "red" if metric.verdict == "violation" else None
            table.add_row(*map(escaped, cells), style=style)
        self._console.print(table)
        confidence = report.rules.get("confidence")
        if isinstance(confidence, float):
            self._line(
                f"A metric violates when it is beyond its limit by more than the sampling error, at"
                f" {percent(confidence)}: that of the window, and of the baseline where the limit"
                " is its value."
            )

    def _confusion(self, confusion: Mapping[str, Mapping[str, int]]) -> None:
        """The confusion matrix: a row is a true class, a column a predicted one."""
        names = list(
            dict.fromkeys([*confusion, *(name for row in confusion.values() for name in row)])
        )
        self._console.print()
        if len(names) > MOST_CLASSES:
            self._line(f"the confusion matrix of {len(names):,} classes is in the report")
            return
        table = Table("true class", box=None, pad_edge=False)
        for name in names:
            table.add_column(escaped(f"predicted {name}"), justify="right")
        for name in names:
            row = confusion.get(name, {})
            table.add_row(escaped(name), *(f"{row.get(column, 0):,}" for column in names))
        self._console.print(table)

    def _per_class(self, per_class: Mapping[str, Mapping[str, float | None]]) -> None:
        columns = list(dict.fromkeys(name for row in per_class.values() for name in row))
        self._console.print()
        table = Table("class", *map(escaped, columns), box=None, pad_edge=False)
        for name, row in per_class.items():
            table.add_row(escaped(name), *(_number(row.get(column)) for column in columns))
        self._console.print(table)

    def _estimates(self, section: EstimateSection) -> None:
        """The estimates, under a line that says that no label is behind them."""
        self._console.print()
        self._line(f"estimated by {section.method}, without labels:")
        table = Table("metric", "estimate", "interval", box=None, pad_edge=False)
        for estimate in section.metrics:
            interval = _interval(estimate.low, estimate.high)
            table.add_row(escaped(estimate.name), _number(estimate.value), interval)
        self._console.print(Padding(table, (0, 0, 0, 2)))
        if section.warning:
            self._line(section.warning, "yellow")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(escaped(text), style))


def _delay(delay_s: Mapping[str, float]) -> str:
    """The age of the labels; empty if it is not known."""
    if not delay_s.keys() >= {"p50", "p95"}:
        return ""
    return f"; half of them within {age(delay_s['p50'])}, 95 % within {age(delay_s['p95'])}"


def age(seconds: float) -> str:
    """A time span in its largest unit.

    >>> age(42.0), age(600.0), age(7_200.0), age(216_000.0)
    ('42 s', '10 min', '2 h', '2.5 d')
    """
    for length_s, unit in UNITS_S:
        if seconds >= length_s:
            return f"{number(seconds / length_s, 3)} {unit}"
    return f"{number(seconds, 3)} s"


def _number(value: float | None) -> str:
    return "-" if value is None else number(value, DIGITS)


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{_number(low)} to {_number(high)}"


def _limit(metric: MetricReport) -> str:
    if metric.limit is None:
        return "-"
    side = ">=" if metric.comparison_operator == BELOW else "<="
    return f"{side} {_number(metric.limit)}"


def _verdict(metric: MetricReport) -> str:
    if metric.value is None and metric.reason:
        return f"undefined: {metric.reason}"
    return "-" if metric.verdict == "not judged" else metric.verdict
