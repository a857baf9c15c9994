"""The join of predictions and labels in plain loops: the definition of what the fast path does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

BEST_FIRST = (
    "matched",
    "duplicate",
    "conflicting",
    "unknown_class",
    "wrong_label_type",
    "row_count",
)
"""The outcomes of a label; if it has several, for several events, the first of these counts."""


class Predicted(NamedTuple):
    """An event with predictions: its id, the start of its pane, its model, and a value per row."""

    id: str
    time_ms: int
    model: str
    values: tuple[float, ...]


class Label(NamedTuple):
    """A label as its log has it: ``time_ms`` is the mark after it, ``None`` without a time."""

    id: str
    time_ms: int | None
    partition: int
    sequence: int
    values: tuple[float | str, ...]


class Joined(NamedTuple):
    """The outcome of a join.

    ``rows`` counts pairs of model, pane, prediction and label. ``outcomes`` counts the labels,
    ``labelled`` the events with a label.
    """

    rows: Counter[tuple[str, int, float, float | str]]
    outcomes: Counter[str]
    labelled: int


def join(
    events: Sequence[Predicted],
    labels: Sequence[Label],
    *,
    horizon_ms: int,
    early_ms: int,
    duplicates: str,
    misfit: Callable[[str, Label], str],
) -> Joined:
    """Join all events with all labels; ``misfit`` says why a label does not fit a model, or ""."""
    rows: Counter[tuple[str, int, float, float | str]] = Counter()
    outcomes: dict[Label, str] = {}
    labelled = 0
    for event in events:
        fitting = []
        for label in labels:
            if not _may_belong(event, label, horizon_ms, early_ms):
                continue
            same_rows = len(label.values) == len(event.values)
            reason = misfit(event.model, label) if same_rows else "row_count"
            if reason:
                _note(outcomes, label, reason)
            else:
                fitting.append(label)
        kept = _kept(fitting, duplicates)
        for label in fitting:
            same = kept is not None and label.values == kept.values
            outcome = "matched" if label is kept else "duplicate" if same else "conflicting"
            _note(outcomes, label, outcome)
        if kept is not None:
            labelled += 1
            pairs = zip(event.values, kept.values, strict=True)
            rows.update((event.model, event.time_ms, row, true) for row, true in pairs)
    waiting = sum(label not in outcomes for label in labels)
    return Joined(rows, Counter(outcomes.values()) + Counter(waiting=waiting), labelled)


def _kept(fitting: Sequence[Label], duplicates: str) -> Label | None:
    """Return the label that counts of those that fit an event."""
    if not fitting or (duplicates == "reject" and len({label.values for label in fitting}) > 1):
        return None
    ordered = sorted(fitting, key=_order)
    return ordered[-1] if duplicates == "last" else ordered[0]


def _order(label: Label) -> tuple[int, int, int]:
    """Order labels by their time, those without one first, then by their place in the log."""
    time_ms = -1 if label.time_ms is None else label.time_ms
    return time_ms, label.partition, label.sequence


def _note(outcomes: dict[Label, str], label: Label, outcome: str) -> None:
    """Note the outcome of a label for one event; of several events the best one counts."""
    known = outcomes.get(label, outcome)
    outcomes[label] = min(known, outcome, key=BEST_FIRST.index)


def _may_belong(event: Predicted, label: Label, horizon_ms: int, early_ms: int) -> bool:
    if event.id != label.id:
        return False
    return label.time_ms is None or -early_ms <= label.time_ms - event.time_ms <= horizon_ms
