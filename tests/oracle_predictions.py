"""The oracle of predictions: which of them wait for labels, and what they say, in plain loops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detectors.profiles.layout import Feature, Layout
from stream.readers.prediction_rules import PredictionColumns
from tests.oracle import TRUTH, Accepted, hash_of, read_as, word_of
from tests.oracle_rows import number_of

UNUSABLE = "unusable_prediction"
UNKNOWN = "unknown_class"


class CannotWait(Exception):
    """An event or a row that cannot wait; the message is the reason."""


class Waiting(NamedTuple):
    """A predicted row that waits. ``answer`` is the code of a binary class, the name of another
    class, or 0 for regression; ``value`` is ``None`` without a probability.
    """

    id: int
    time_ms: int
    key: tuple[str, str]
    row: int
    rows: int
    answer: int | str
    value: float | None


class Expected(NamedTuple):
    """The rows that wait, and the number of events that cannot, by reason."""

    rows: list[Waiting]
    untaken: Counter[str]


def predictions(
    accepted: Sequence[Accepted],
    columns: Mapping[str, PredictionColumns],
    layouts: Mapping[str, Layout],
    join: str | None = None,
    share: float = 1.0,
) -> Expected:
    """The predictions of the accepted events of the models in ``columns``."""
    expected = Expected([], Counter())
    for event in accepted:
        if event.model not in columns:
            continue
        try:
            id_ = id_of(event, join, share)
            answers = answers_of(event.rows, columns[event.model], layouts[event.model])
        except CannotWait as reason:
            expected.untaken[str(reason)] += 1
            continue
        key = (event.model, event.variant)
        for k, (answer, value) in enumerate(answers):
            expected.rows.append(Waiting(id_, event.pane_ms, key, k, len(answers), answer, value))
    return expected


def id_of(event: Accepted, join: str | None, share: float) -> int:
    event_id, inference_id = event.ids
    if join is None:
        text = inference_id or event_id
    else:
        text = event_id if join == "event_id" else inference_id
    if not text:
        raise CannotWait("without_id")
    if mixed(hash_of(text)) >= share * 2**64:
        raise CannotWait("not_sampled")
    return hash_of(text)


def mixed(hash_: int) -> int:
    """The finalizer of SplitMix64."""
    hash_ = (hash_ ^ (hash_ >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    hash_ = (hash_ ^ (hash_ >> 27)) * 0x94D049BB133111EB % 2**64
    return hash_ ^ (hash_ >> 31)


def answers_of(
    rows: Sequence[Mapping[str, object]], model: PredictionColumns, layout: Layout
) -> list[tuple[int | str, float | None]]:
    """The answers of an event; an unusable row decides, then an unknown class."""
    if len(rows) > 65_535:
        raise CannotWait("too_many_rows")
    answers, reasons = [], set()
    for row in rows:
        try:
            answers.append(answer_of(row, model, layout))
        except CannotWait as reason:
            reasons.add(str(reason))
    if reasons:
        raise CannotWait(UNUSABLE if UNUSABLE in reasons else UNKNOWN)
    return answers


def answer_of(
    row: Mapping[str, object], model: PredictionColumns, layout: Layout
) -> tuple[int | str, float | None]:
    if model.problem == "regression":
        number = finite(row, model.prediction, layout)
        if number is None:
            raise CannotWait(UNUSABLE)
        return 0, number
    probability = finite(row, model.probability, layout)
    if probability is not None and not 0 <= probability <= 1:
        probability = None
    if model.prediction:
        name = class_in(row, model.prediction, layout, truth=model.problem == "binary")
        return (name if model.problem == "multiclass" else side(name, model, layout)), probability
    if probability is None:
        raise CannotWait(UNUSABLE)
    return int(probability > model.threshold), probability


def side(name: str, model: PredictionColumns, layout: Layout) -> int:
    """1 for the positive class, 0 for the negative one."""
    of_booleans = holds_booleans(feature_of(layout, model.prediction))
    for text, code in ((model.positive, 1), (model.negative, 0)):
        if name == (truth_name(text) if of_booleans else same_name(text)):
            return code
    raise CannotWait(UNKNOWN)


def feature_of(layout: Layout, name: str) -> Feature | None:
    return layout.features[layout.index[name]] if name in layout.index else None


def holds_booleans(feature: Feature | None) -> bool:
    return feature is not None and feature.cell_reading.booleans


def text_of(cell: object, feature: Feature | None) -> str | None:
    """The text of a cell without the blanks around it; ``None`` if it is missing."""
    if cell is None or cell != cell:
        return None
    text = word_of(cell).strip(" \t\r\n")
    markers = [] if feature is None else [m.strip(" \t\r\n") for m in feature.cell_reading.missing]
    return None if text in ("", *markers) else text


def finite(row: Mapping[str, object], name: str, layout: Layout) -> float | None:
    """The finite number in a column, ``None`` if there is none."""
    cell, feature = row.get(name), feature_of(layout, name)
    if feature is not None and feature.numeric:
        number = number_of(read_as(cell, feature))
    else:
        number = None if text_of(cell, feature) is None else number_of(word_of(cell))
    return number if number is not None and math.isfinite(number) else None


def class_in(row: Mapping[str, object], name: str, layout: Layout, truth: bool) -> str:
    """The name of the class in a column; 1 and 0 of booleans are true and false if ``truth``."""
    cell, feature = row.get(name), feature_of(layout, name)
    if feature is not None and feature.numeric:
        number = finite(row, name, layout)
        if number is None:
            raise CannotWait(UNUSABLE)
        named = same_name(repr(number))
        return truth_name(named) if truth and holds_booleans(feature) else named
    text = text_of(cell, feature)
    if text is None:
        raise CannotWait(UNUSABLE)
    if len(text) > 256:
        raise CannotWait(UNKNOWN)
    named = truth_name(text) if holds_booleans(feature) else same_name(text)
    if named in ("", "nan", "inf", "-inf"):
        raise CannotWait(UNUSABLE)
    return named


def truth_name(text: str) -> str:
    """The name of a class in a feature of booleans."""
    return word_of(TRUTH[text]) if text in TRUTH else same_name(text)


def same_name(text: str) -> str:
    """One name for all spellings of a number."""
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text
    if "_" in text:
        return text
    return str(int(number)) if math.isfinite(number) and number == int(number) else repr(number)
