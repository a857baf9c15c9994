"""Replaces feature values in signals, and names cells without their values."""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.diagnosis.new_values import new_value_labels, new_values, quoted
from detectors.profiles.layout import HEAD, Layout
from detectors.profiles.profile import Profile
from detectors.report import Figures, Signal, WindowReport
from detectors.violation import Violation

_VALUE: Final = "value #"


def masked(report: WindowReport, layout: Layout) -> WindowReport:
    """The report with the names of single values replaced by ``value #k`` or ``unseen #k``.

    They are replaced in ``moved``, and in ``summary``, where values are in quotes. The built-in
    checks write their summaries without values in the first place, see :func:`public_label`.
    """
    window = _window(report, layout)
    violations = tuple(_mask(violation, layout, window) for violation in report.violations)
    return msgspec.structs.replace(report, violations=violations)


def without_extremes(signal: Signal) -> Signal:
    """The signal without the smallest and largest numbers of its features, which are values."""
    figures = tuple(
        msgspec.structs.replace(
            feature,
            window=_without_extremes(feature.window),
            baseline=feature.baseline and _without_extremes(feature.baseline),
        )
        for feature in signal.figures
    )
    return msgspec.structs.replace(signal, figures=figures)


def public_label(layout: Layout, i: int, cell: int) -> str:
    """The name of coarse cell ``cell`` of feature ``i`` (from 0) without any value of its own.

    A cell of a single value is ``value #k``. An interval has the name that the report gives it,
    but with at most six digits at its ends, and without the values in it that have cells of their
    own. All other names stay.
    """
    feature = layout.features[i]
    label = layout.cell_labels(i)[cell]
    values = feature.bin_cells if feature.numeric else len(feature.vocabulary)
    if cell >= values or (feature.numeric and label == "other"):
        return label
    if feature.numeric and label.startswith(("[", "(")):
        interval = label.partition(" without ")[0]
        low, high = interval[1:-1].split(", ")
        return f"{interval[0]}{float(low):.6g}, {float(high):.6g}{interval[-1]}"
    return f"{_VALUE}{cell}"


def is_value(label: str) -> bool:
    """Return whether a :func:`public_label` replaces a single value."""
    return label.startswith(_VALUE)


def _without_extremes(figures: Figures) -> Figures:
    return msgspec.structs.replace(figures, min=None, max=None)


def _window(report: WindowReport, layout: Layout) -> Profile | None:
    """The counts of the window; ``None`` if no violation can name a new value."""
    positions = [layout.index.get(violation.feature) for violation in report.violations]
    texts = any(i is not None and not layout.features[i].numeric for i in positions)
    return Profile.decode(report.profile, layout) if texts and report.profile else None


def _mask(violation: Violation, layout: Layout, window: Profile | None) -> Violation:
    i = layout.index.get(violation.feature)
    if i is None:
        return violation
    public = {label: public_label(layout, i, k) for k, label in enumerate(layout.cell_labels(i))}
    new = {} if window is None else _public_names(window, i)
    if window is not None:
        public |= {
            label: public_label(layout, i, k) for k, label in new_value_labels(window, i).items()
        }
    # A bin of a single value may lie within a cell: its label is not among those of the cells.
    labels = {shift.label: public.get(shift.label, "one value") for shift in violation.moved}
    moved = tuple(
        msgspec.structs.replace(shift, label=labels[shift.label]) for shift in violation.moved
    )
    names = {f"'{label}'": name for label, name in labels.items()} | new
    summary = violation.summary
    for name in sorted(names, key=len, reverse=True):
        summary = summary.replace(name, names[name])
    return msgspec.structs.replace(violation, moved=moved, summary=summary)


def _public_names(window: Profile, i: int) -> dict[str, str]:
    """The public label of each new value of feature ``i``, by the value in quotes."""
    start = int(window.layout.starts[i]) + HEAD
    return {
        quoted(value.name): public_label(window.layout, i, value.slot - start)
        for value in new_values(window, i)
    }
