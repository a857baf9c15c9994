"""Replaces feature values in what a signal names."""

from __future__ import annotations

import msgspec

from detectors.profiles.layout import Feature, Layout
from detectors.report import Violation, WindowReport


def masked(report: WindowReport, layout: Layout) -> WindowReport:
    """The report without feature values: names of single values become ``value #k``."""
    return msgspec.structs.replace(
        report, violations=tuple(_mask(violation, layout) for violation in report.violations)
    )


def _mask(reason: Violation, layout: Layout) -> Violation:
    place = layout.index.get(reason.feature, -1)
    if place < 0 or not reason.moved:
        return reason
    feature, labels = layout.features[place], layout.cell_labels(place)
    public = {
        label: _public(feature, label, k)
        for k, label in enumerate(labels[: -2 if feature.numeric else len(feature.vocabulary)])
    }
    said = {
        **dict.fromkeys((one.label for one in reason.moved), "one value"),
        **dict.fromkeys(labels),
        **public,
    }
    kept = tuple(
        msgspec.structs.replace(one, label=said[one.label] or one.label) for one in reason.moved
    )
    return msgspec.structs.replace(reason, moved=kept)


def _public(feature: Feature, label: str, k: int) -> str:
    """The label of cell ``k`` without the values that have a cell of their own: an interval shows
    its ends in six digits, and not whether one of them is such a value.
    """
    if feature.numeric and label.startswith(("[", "(")):
        low, high = label.partition(" without ")[0][1:-1].split(", ")
        return f"[{float(low):.6g}, {float(high):.6g})"
    return label if feature.numeric and label == "other" else f"value #{k}"
