"""The reader collects the predictions of arbitrary events exactly as the oracle does in plain
loops.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.profiles.layout import Layout
from detectors.profiles.reading import PLAIN
from stream.baselining.columns import ModelColumns
from stream.dedupe.filter import Dedupe
from stream.events import Assign, Partial
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.labels.rows import PREDICTION, Predictions, Rows
from stream.readers.plan import ReadingPlan
from stream.readers.prediction_rules import IdName, PredictionColumns, PredictionRules
from stream.readers.reader import Reader
from tests import oracle
from tests.oracle_predictions import Expected, Waiting, predictions
from tests.property import events
from tests.property.test_formats_equal_the_oracle import (
    BROAD,
    CLOCK_MS,
    CLOCKING,
    SETTINGS,
    raw,
    records,
)
from tests.support.records import NoSource

LEARNING = Layout(
    tuple(feature for feature in events.read_layout.features if feature.name in ("x", "n"))
)
"""A layout that still lacks the prediction and the text, which are read raw."""
LAYOUTS = {"m": events.layout, "read": events.read_layout, "learning": LEARNING}
OUTPUTS, INPUTS = ("p",), ("x", "n", "t")
MODELS = {name: oracle.Model(OUTPUTS, INPUTS, layout) for name, layout in LAYOUTS.items()}
ORIGIN = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
BY_PATH = IdentityConfig(
    NameConfig(source="path", name="model"), NameConfig(source="path", name="variant"), TimeConfig()
)
COLUMNS: list[dict[str, Any]] = [
    {"problem": "binary", "probability": "p"},
    {"problem": "binary", "probability": "p", "threshold": 0.25},
    {"problem": "binary", "prediction": "n", "probability": "p", "positive": "7", "negative": "3"},
    {"problem": "binary", "prediction": "t", "positive": "a", "negative": "DE"},
    {"problem": "binary", "prediction": "t", "positive": "1", "negative": "0", "probability": "x"},
    {"problem": "binary", "prediction": "x", "positive": "yes", "negative": "no"},
    {"problem": "binary", "prediction": "p", "positive": "1.0", "negative": ""},
    {"problem": "multiclass", "prediction": "t", "probability": "p"},
    {"problem": "multiclass", "prediction": "n"},
    {"problem": "multiclass", "prediction": "p"},
    {"problem": "regression", "prediction": "p"},
    {"problem": "regression", "prediction": "t"},
]


def columns_of(choice: dict[str, Any], layout: Layout) -> PredictionColumns:
    """The columns with the readings that the layout has for them."""
    reading_of = {feature.name: feature.cell_reading for feature in layout.features}
    return PredictionColumns(
        **choice,
        prediction_reading=reading_of.get(choice.get("prediction", ""), PLAIN),
        probability_reading=reading_of.get(choice.get("probability", ""), PLAIN),
    )


def started(
    form: Sagemaker | Json,
    rules: PredictionRules,
    models: Sequence[str] = ("m",),
    layouts: dict[str, Layout] = LAYOUTS,
    origin: IdentityConfig = ORIGIN,
    dedupe: Dedupe | None = None,
) -> Reader:
    """A reader at the start of the partition ``p``."""
    reader = Reader(NoSource(), form, origin, SETTINGS, dedupe=dedupe, clock=lambda: CLOCK_MS)
    columns = {name: ModelColumns(OUTPUTS, INPUTS, layouts[name]) for name in models}
    reader.use(ReadingPlan(columns, form, rules))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    return reader


def content(partials: Sequence[Partial], multiclass: Collection[str]) -> Expected:
    """The decoded predictions of partials, with the names of classes for these models."""
    found = Expected([], Counter())
    for partial in partials:
        if partial.predictions:
            decoded = msgspec.msgpack.decode(partial.predictions, type=Predictions)
            rows = np.frombuffer(decoded.rows, PREDICTION)
            check_numbering(decoded, rows)
            found.rows.extend(_waiting(row, decoded, multiclass) for row in rows)
            found.untaken.update(decoded.untaken)
    return found


def check_numbering(decoded: Predictions, rows: Rows) -> None:
    """Check that no key is superfluous, and that the rows of one event follow each other."""
    assert {int(key) for key in rows["key"]} == set(range(len(decoded.keys)))
    after = rows["row"] + 1
    assert (rows["row"][1:] == np.where(after == rows["rows"], 0, after)[:-1]).all()


def _waiting(row: Any, decoded: Predictions, multiclass: Collection[str]) -> Waiting:
    key = decoded.keys[row["key"]]
    code, value = int(row["code"]), float(row["value"])
    return Waiting(
        id=int(row["id"]),
        time_ms=int(row["time_ms"]),
        key=tuple(key),
        row=int(row["row"]),
        rows=int(row["rows"]),
        answer=decoded.classes[code] if key.model in multiclass else code,
        value=None if math.isnan(value) else value,
    )


def check(
    partials: Sequence[Partial], expected: Expected, columns: dict[str, PredictionColumns]
) -> None:
    """Check that the partials have the expected rows, in any order of events, and counts."""
    multiclass = {name for name, model in columns.items() if model.problem == "multiclass"}
    found = content(partials, multiclass)
    assert found.untaken == expected.untaken
    assert Counter(found.rows) == Counter(expected.rows)
    classes = {row.answer for row in expected.rows if row.key[0] in multiclass}
    named = [
        name
        for partial in partials
        if partial.predictions
        for name in msgspec.msgpack.decode(partial.predictions, type=Predictions).classes
    ]
    assert set(named) == classes


FORMS = [Sagemaker(), Json(id="id"), Json(features="features", prediction="prediction.score")]


@pytest.mark.parametrize("form", FORMS, ids=["sagemaker", "json", "json without id"])
@pytest.mark.parametrize("layout", LAYOUTS)
@BROAD
@given(data=st.data(), choice=st.sampled_from(COLUMNS))
def test_predictions_of_every_kind_are_collected_as_the_oracle_collects(
    form: Sagemaker | Json, layout: str, data: st.DataObject, choice: dict[str, Any]
) -> None:
    kind = events.captures() if isinstance(form, Sagemaker) else events.json_events()
    some = events.records(kind)
    values = data.draw(
        st.one_of(events.near_misses(), some) if isinstance(form, Sagemaker) else some
    )
    compare(form, values, choice, layout)


def compare(
    form: Sagemaker | Json,
    values: Sequence[bytes | None],
    choice: dict[str, Any],
    layout: str,
    join: IdName | None = None,
    sample: float = 1.0,
) -> None:
    columns = {"m": columns_of(choice, LAYOUTS[layout])}
    layouts = {"m": LAYOUTS[layout]}
    reader = started(form, PredictionRules(columns, join, sample), layouts=layouts)
    partial = reader.fold([raw(values)])
    model = {"m": MODELS[layout]}
    counted = oracle.count(records(values), model, form, ORIGIN, CLOCKING)
    expected = predictions(counted.accepted, columns, layouts, join, sample)
    check([partial], expected, columns)


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "p": st.sampled_from(["0.25", "0.5", "0.7500001", "1.0", "-3", "", "x", "nan", "1e999", "NA"]),
    "x": st.sampled_from(["2.5", "1", "0", "true", "no", "", "-999"]),
    "n": st.sampled_from(["3", "7", "7.0", "12", "", " NA", "true"]),
    "t": st.sampled_from(["a", " a", "DE", "7", "7.0", "true", "FALSE", "1", "N/A", "", "q" * 300]),
}
TIMES = ["2025-06-15T15:06:40Z"] * 4 + ["2025-06-15T15:05:10Z", "2025-06-15T14:00:00Z", "never"]
"""Most on time, one in an earlier pane, one usually too late, one no time."""
some_ids = st.sampled_from(["a", "b", "c", "d", "é", "", "\ud800", None])


@st.composite
def clean_events(draw: st.DrawFn, models: Sequence[str] = ("m",)) -> dict[str, Any]:
    """An event of one row or of several, most of which are accepted."""
    count = draw(st.sampled_from([1, 1, 2, 3]))
    rows = [{name: draw(cells) for name, cells in CELLS.items()} for _ in range(count)]
    return {
        "rows": rows,
        "time": draw(st.sampled_from(TIMES)),
        "event_id": draw(some_ids),
        "inference_id": draw(some_ids),
        "model": draw(st.sampled_from(models)),
        "variant": draw(st.sampled_from(["blue", "green"])),
    }


def capture(event: dict[str, Any]) -> bytes:
    def side(names: Sequence[str]) -> dict[str, str]:
        lines = [",".join(row[name] for name in names) for row in event["rows"]]
        return {"data": "\n".join(lines) + "\n", "encoding": "CSV"}

    ids = {"eventId": event["event_id"], "inferenceId": event["inference_id"]}
    metadata = {key: id_ for key, id_ in ids.items() if id_ is not None}
    metadata["inferenceTime"] = event["time"]
    document = {
        "captureData": {"endpointOutput": side(OUTPUTS), "endpointInput": side(INPUTS)},
        "eventMetadata": metadata,
        "model": event["model"],
        "variant": event["variant"],
    }
    return json.dumps(document).encode()


def flat(event: dict[str, Any]) -> bytes:
    names = ("time", "event_id", "inference_id", "model", "variant")
    return json.dumps({**event["rows"][0], **{name: event[name] for name in names}}).encode()


FLAT = Json(id="event_id", inference_id="inference_id")
WRITTEN = [(Sagemaker(), capture), (FLAT, flat)]


@pytest.mark.parametrize(("form", "write"), WRITTEN, ids=["sagemaker", "json"])
@pytest.mark.parametrize("join", [None, "event_id", "inference_id"])
@BROAD
@given(
    drawn=st.lists(clean_events(), max_size=12),
    choice=st.sampled_from(COLUMNS),
    layout=st.sampled_from([*LAYOUTS]),
    sample=st.sampled_from([1.0, 1.0, 0.5, 0.01]),
)
def test_events_are_joined_and_sampled_by_their_ids(
    form: Sagemaker | Json,
    write: Any,
    join: IdName | None,
    drawn: list[dict[str, Any]],
    choice: dict[str, Any],
    layout: str,
    sample: float,
) -> None:
    compare(form, [write(event) for event in drawn], choice, layout, join, sample)


@pytest.mark.parametrize(("form", "write"), WRITTEN, ids=["sagemaker", "json"])
@BROAD
@given(
    drawn=st.lists(clean_events(models=["m", "read", "learning", "other"]), max_size=12),
    choices=st.fixed_dictionaries({}, optional=dict.fromkeys(LAYOUTS, st.sampled_from(COLUMNS))),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
def test_models_without_quality_rejected_and_late_events_and_duplicates_do_not_wait(
    form: Sagemaker | Json,
    write: Any,
    drawn: list[dict[str, Any]],
    choices: dict[str, dict[str, Any]],
    cuts: list[int],
) -> None:
    values = [write(event) for event in drawn]
    columns = {name: columns_of(choice, LAYOUTS[name]) for name, choice in choices.items()}
    rules = PredictionRules(columns, None, 1.0)
    reader = started(form, rules, list(LAYOUTS), origin=BY_PATH, dedupe=Dedupe(horizon="1d"))
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    partials = [reader.fold([raw(values[a:b], a)]) for a, b in pairwise(bounds)]
    counted = oracle.count(records(values), MODELS, form, BY_PATH, CLOCKING)
    expected = predictions(without_repeated(counted.accepted), columns, LAYOUTS)
    check(partials, expected, columns)


def without_repeated(accepted: Sequence[oracle.Accepted]) -> list[oracle.Accepted]:
    """The events whose event id no earlier one had; those without an id are all kept."""
    seen: set[str] = set()
    kept = []
    for event in accepted:
        id_ = event.ids[0]
        if not id_ or id_ not in seen:
            kept.append(event)
        seen.add(id_ or "")
    return kept
