"""Formats, reader and fold count arbitrary bytes exactly as the oracle does in plain loops."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.profiles.distinct import shortened
from detectors.profiles.joint_counts import JointPairs
from detectors.profiles.profile import Profile
from stream.baselining.columns import ModelColumns
from stream.events import Assign, ModelKey, Partial, RawBatch
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.records import raw_batch
from tests import oracle
from tests.property import events
from tests.support.examples import examples
from tests.support.records import NoSource, job_settings

EXAMPLES = int(os.environ.get("DRIFTLINE_EXAMPLES", "100"))
"""Examples a test."""
BROAD = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(EXAMPLES),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ARRIVAL_MS = 1_750_000_250_000
CLOCK_MS = ARRIVAL_MS + 30_000
ARRIVALS = (ARRIVAL_MS, ARRIVAL_MS, -1, 0, CLOCK_MS + 86_400_000, ARRIVAL_MS - 3_600_000)
"""The arrivals of records in turn: right, unknown, not a time, after the clock, and too early."""
CLOCKING = oracle.Clocking(
    pane_ms=60_000, grace_ms=2_000, lateness_ms=120_000, tolerance_ms=60_000, clock_ms=CLOCK_MS
)
SETTINGS = job_settings(
    every_ms=CLOCKING.pane_ms,
    grace_ms=CLOCKING.grace_ms,
    lateness_ms=CLOCKING.lateness_ms,
    tolerance_ms=CLOCKING.tolerance_ms,
)
ORIGIN = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
MODEL = oracle.Model(("p",), ("x", "n", "t"), events.layout)
READ = oracle.Model(("p",), ("x", "n", "t"), events.read_layout)
"""The same model with a baseline that stores missing markers and booleans."""
CAPTURES = [
    Sagemaker(),
    Sagemaker(output_rows="rows", input_rows="rows"),
    Sagemaker(columns={"x": "n", "n": "other.n"}),
    Sagemaker(header=True, skip=()),
    Sagemaker(skip=("x", "ShadowExperiment")),
]
JSONS = [
    Json(id="id"),
    Json(features="features", prediction="prediction.score", id="id"),
    Json(features={"x": "user.age", "t": "features.t"}, prediction={"p": "prediction.score"}),
    Json(features="features", prediction="prediction"),
]


def plan(form: Sagemaker | Json, model: oracle.Model = MODEL) -> ReadingPlan:
    columns = ModelColumns(model.outputs, model.inputs, model.layout)
    return ReadingPlan({"m": columns}, form, keep_values=True)


def reader(form: Sagemaker | Json, model: oracle.Model = MODEL) -> Reader:
    """A reader at the start of the partition ``p``."""
    started = Reader(NoSource(), form, ORIGIN, SETTINGS, clock=lambda: CLOCK_MS)
    started.use(plan(form, model))
    started.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    return started


def raw(values: Sequence[bytes | None], first: int = 0) -> RawBatch:
    arrivals = np.array([arrival_of(first + k) for k in range(len(values))], np.int64)
    return replace(raw_batch(values, first=first), arrival_ms=arrivals)


def records(values: Sequence[bytes | None]) -> list[oracle.Record]:
    return [oracle.Record("p", value, arrival_of(k), "topic") for k, value in enumerate(values)]


def arrival_of(number: int) -> int:
    return ARRIVALS[number % len(ARRIVALS)]


def check(
    form: Sagemaker | Json,
    values: Sequence[bytes | None],
    started: Reader,
    model: oracle.Model = MODEL,
) -> None:
    """Check that the reader counts records at the start of a partition as the oracle does."""
    started.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    partial = started.fold([raw(values)])
    expected = oracle.count(records(values), {"m": model}, form, ORIGIN, CLOCKING)
    rejected = {letter.position: letter.reason for letter in partial.dead_letters}
    with_letter = {
        k: reason for k, reason in expected.rejected.items() if reason != "skipped_source"
    }
    assert rejected == with_letter
    [cover] = partial.covers
    assert +Counter(cover.outcomes) == expected.outcomes.get("p", Counter())
    assert cover.read == len(values) == sum(cover.outcomes.values())
    assert Counter(cover.bytes) == +expected.lengths.get("p", Counter())
    assert sum(cover.bytes.values()) == sum(len(value or b"") for value in values)
    assert (cover.mark_ms, partial.future) == (expected.marks.get("p"), expected.future)
    mismatches = {
        (*key, pane_ms): (counted.too_narrow, counted.too_wide)
        for key, pane_ms, counted in partial.width_mismatches
    }
    assert mismatches == {
        pane: (reasons["too_few_columns"], reasons["too_many_columns"])
        for pane, reasons in expected.width_mismatches.items()
    }
    check_profiles(partial, expected.panes)


def check_profiles(partial: Partial, expected: dict[tuple[str, str, int], oracle.Pane]) -> None:
    profiles = {(*key, pane_ms): profile for key, pane_ms, profile in partial.profiles}
    counts = {pane: profile.counts.tolist() for pane, profile in profiles.items()}
    assert counts == {pane: counted.counts for pane, counted in expected.items()}
    for pane, profile in profiles.items():
        assert profile.rows == expected[pane].rows
        check_numbers(profile, expected[pane])
        assert counted_pairs(profile) == expected[pane].pairs
        values = expected[pane].values
        assert counted_values(profile) == {
            i: as_kept(found) for i, found in enumerate(values) if found
        }


def counted_pairs(profile: Profile) -> dict[tuple[int, int, int, int], int]:
    """The rows of each two levels of a pair of features that occur together."""
    pairs = JointPairs(profile.layout)
    tables = pairs.tables(profile.pairs)
    return {
        (int(pairs.features[pairs.first[k]]), a, int(pairs.features[pairs.second[k]]), b): count
        for k, table in enumerate(tables.tolist())
        for a, row in enumerate(table)
        for b, count in enumerate(row)
        if count
    }


def counted_values(profile: Profile) -> dict[int, dict[float | str, int]]:
    """The distinct values of each feature of a profile that keeps them, with their counts."""
    return {
        i: dict(zip(found.values.tolist(), found.counts.tolist(), strict=True))
        for i, found in profile.values.items()
    }


def as_kept(found: Mapping[Any, int]) -> dict[float | str, int]:
    """The counts by value, long texts as a profile keeps them."""
    return {
        shortened(pa.array([value]))[0].as_py() if isinstance(value, str) else value: count
        for value, count in found.items()
    }


def check_numbers(profile: Profile, pane: oracle.Pane) -> None:
    """Check that sums agree up to rounding and extremes exactly, unless squares would overflow."""
    for i, feature in enumerate(events.layout.features):
        numbers = pane.numbers[i]
        if feature.numeric and all(abs(x) < 1e150 for x in numbers):
            scale = math.fsum(abs(x - feature.center) ** k for x in numbers for k in (1, 2))
            assert profile.sums[i].tolist() == pytest.approx(
                pane.sums(i), rel=1e-9, abs=1e-9 * scale + 1e-300
            )
            lowest = min(numbers, default=math.inf)
            highest = max(numbers, default=-math.inf)
            assert (profile.low[i], profile.high[i]) == (lowest, highest)


@pytest.mark.parametrize("form", CAPTURES)
@BROAD
@given(values=events.records(events.captures()))
def test_capture_lines_of_every_kind_are_counted_as_the_oracle_counts(
    form: Sagemaker, values: list[bytes | None]
) -> None:
    for model in (MODEL, READ):
        check(form, values, reader(form, model), model)


@pytest.mark.parametrize("many_columns", [1, 1000], ids=["cut into cells", "typed by Arrow"])
@BROAD
@given(values=st.lists(events.near_misses(), min_size=1, max_size=4))
def test_a_defective_cell_affects_no_other_record_and_no_later_batch(
    many_columns: int, values: list[list[bytes | None]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.formats.csv_batch.MANY_COLUMNS", many_columns)
        for model in (MODEL, READ):
            started = reader(Sagemaker(), model)
            for batch in values:
                check(Sagemaker(), batch, started, model)


@BROAD
@given(values=events.json_near_misses())
def test_json_payloads_are_counted_as_the_oracle_counts(values: list[bytes | None]) -> None:
    for model in (MODEL, READ):
        check(Sagemaker(), values, reader(Sagemaker(), model), model)


@pytest.mark.parametrize("form", JSONS)
@BROAD
@given(values=events.records(events.json_events()))
def test_json_events_of_every_kind_are_counted_as_the_oracle_counts(
    form: Json, values: list[bytes | None]
) -> None:
    for model in (MODEL, READ):
        check(form, values, reader(form, model), model)


@pytest.mark.parametrize("form", [CAPTURES[0], JSONS[1]])
@BROAD
@given(data=st.data())
def test_ids_are_kept_for_the_join_with_labels(form: Sagemaker | Json, data: st.DataObject) -> None:
    kind = events.captures() if isinstance(form, Sagemaker) else events.json_events()
    values = data.draw(events.records(kind))
    decoded = form.open(ORIGIN, plan(form).decoding).decode([raw(values)])
    expected = oracle.count(records(values), {"m": MODEL}, form, ORIGIN, CLOCKING)
    ids = {i: (decoded.event_ids[i], decoded.inference_ids[i]) for i in expected.ids}
    assert ids == expected.ids


@BROAD
@given(
    values=st.one_of(events.near_misses(), events.near_misses(), events.records(events.captures())),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
def test_splitting_the_log_into_other_batches_changes_no_count(
    values: list[bytes | None], cuts: list[int]
) -> None:
    whole = reader(Sagemaker()).fold([raw(values)])
    started = reader(Sagemaker())
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    parts = [started.fold([raw(values[start:stop], start)]) for start, stop in pairwise(bounds)]
    assert [letter for part in parts for letter in part.dead_letters] == whole.dead_letters
    assert outcomes(parts) == outcomes([whole])
    assert lengths(parts) == lengths([whole])
    assert parts[-1].covers[0].mark_ms == whole.covers[0].mark_ms
    expected = {(key, pane_ms): profile for key, pane_ms, profile in whole.profiles}
    merged: dict[tuple[ModelKey, int], Profile] = {}
    for part in parts:
        for key, pane_ms, profile in part.profiles:
            merged.setdefault((key, pane_ms), Profile(profile.layout)).merge(profile)
    assert {pane: profile.counts.tolist() for pane, profile in merged.items()} == {
        pane: profile.counts.tolist() for pane, profile in expected.items()
    }
    for pane, profile in merged.items():
        assert np.allclose(profile.sums, expected[pane].sums, rtol=1e-9, equal_nan=True)


def outcomes(partials: Sequence[Partial]) -> Counter[str]:
    return sum((+Counter(partial.covers[0].outcomes) for partial in partials), Counter())


def lengths(partials: Sequence[Partial]) -> Counter[str]:
    return sum((Counter(partial.covers[0].bytes) for partial in partials), Counter())
