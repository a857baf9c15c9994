"""A signal about the quality of a model as a few lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.phrases import counted, percent
from detectors.quality_report import QualityEvidence
from detectors.report import Signal

MOST_CLASSES: Final = 6
"""The largest number of classes whose confusion matrix is part of the text."""
Confusion = Mapping[str, Mapping[str, int]]


def quality_text(signal: Signal, quality: QualityEvidence) -> str:
    """The reasons with their intervals, the coverage, and the confusion matrix before and after.

    A line of the matrix is a true class, and names the share of each predicted class in the
    baseline and in the window. Matrices of more than six classes are left out.
    """
    coverage = "" if quality.coverage is None else f", {percent(quality.coverage)} of its rows"
    lines = [
        f"{signal.model} quality {signal.kind}: {', '.join(signal.features)}",
        *([] if signal.kind == "recovered" else [reason.summary for reason in signal.reasons]),
        f"{counted(quality.labelled, 'row')} of the window with a label{coverage}",
        *_matrix(quality.confusion_before, quality.confusion_after),
    ]
    return "\n".join(lines)


def _matrix(before: Confusion, after: Confusion) -> list[str]:
    names = _classes(before, after)
    if not after or len(names) > MOST_CLASSES:
        return []
    head = "predicted classes by true class" + (", baseline -> window" if before else "")
    return [head, *(_row(name, names, before, after) for name in names)]


def _row(true: str, names: list[str], before: Confusion, after: Confusion) -> str:
    """One true class: the share of each predicted class, before and after."""
    sides = [matrix.get(true, {}) for matrix in (before, after) if matrix]
    shares = [f"{name} {' -> '.join(_share(side, name) for side in sides)}" for name in names]
    rows = " -> ".join(f"{sum(side.values()):,}" for side in sides)
    return f"{true} ({rows} rows): {', '.join(shares)}"


def _share(row: Mapping[str, int], name: str) -> str:
    total = sum(row.values())
    return percent(row.get(name, 0) / total) if total else "-"


def _classes(*matrices: Confusion) -> list[str]:
    """The classes of the matrices, in the order in which they are first named."""
    names: dict[str, None] = {}
    for matrix in matrices:
        for true, row in matrix.items():
            names |= dict.fromkeys((true, *row))
    return list(names)
