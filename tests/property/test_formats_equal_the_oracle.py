"""Whatever bytes come, the fast road counts exactly what the slow, obvious counter counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.profiles.profile import Profile
from stream.baselining.columns import ModelColumns
from stream.event_time import Times
from stream.events import Assign, DiscoveredPartition, Gap, ModelKey, Position, RawBatch
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from tests import oracle
from tests.property import events
from tests.support.examples import examples

MANY = 200
"""Examples a test: enough for the planted mistakes that were tried, a minute in all."""
BROAD = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(MANY),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
CLOCKING = oracle.Clocking(pane_ms=60_000, grace_ms=2_000, lateness_ms=120_000, tolerance_ms=60_000)
ARRIVAL_MS = 1_750_000_250_000
ORIGIN = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
MODEL = oracle.Model(("p",), ("x", "n", "t"), events.layout)
CAPTURES = [
    Sagemaker(),
    Sagemaker(output_rows="rows", input_rows="rows"),
    Sagemaker(columns={"x": "n", "n": "other.n"}),
    Sagemaker(header=True),
]
JSONS = [
    Json(id="id"),
    Json(features="features", prediction="prediction.score", id="id"),
    Json(features={"x": "user.age", "t": "features.t"}, prediction={"p": "prediction.score"}),
    Json(features="features", prediction="prediction"),
]


class NoSource:
    """The records are at hand: nothing is assigned or polled."""

    finished = True

    def discover(self) -> list[DiscoveredPartition]:
        return []

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        pass

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        return []

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        return {}

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        pass

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        return []

    def close(self) -> None:
        pass


def reader(form: Sagemaker | Json) -> Reader:
    one = Reader(NoSource(), form, ORIGIN, Times(*CLOCKING))
    one.use(ReadingPlan({"m": ModelColumns(MODEL.outputs, MODEL.inputs, MODEL.layout)}, form))
    one.assign([Assign(1, "p", 0, None)])
    return one


def raw(values: Sequence[bytes | None], first: int = 0) -> RawBatch:
    positions = list(range(first, first + len(values)))
    arrival = np.full(len(values), ARRIVAL_MS, np.int64)
    return RawBatch("p", "topic", first, first + len(values), [*positions], list(values), arrival)


def records(values: Sequence[bytes | None]) -> list[oracle.Record]:
    return [oracle.Record("p", value, ARRIVAL_MS, "topic") for value in values]


def check(form: Sagemaker | Json, values: Sequence[bytes | None], one: Reader) -> None:
    """One partial says what the oracle says of the same records, read from the start of a
    partition."""
    one.assign([Assign(1, "p", 0, None)])
    partial = one.fold([raw(values)])
    said = oracle.count(records(values), {"m": MODEL}, form, ORIGIN, CLOCKING)
    assert {letter.position: letter.reason for letter in partial.dead} == said.rejected
    [cover] = partial.covers
    assert +Counter(cover.outcomes) == said.outcomes.get("p", Counter())
    assert cover.read == len(values) == sum(cover.outcomes.values())
    assert Counter(cover.bytes) == +said.lengths.get("p", Counter())
    assert sum(cover.bytes.values()) == sum(len(value or b"") for value in values)
    assert (cover.mark_ms, partial.future) == (said.marks.get("p"), said.future)
    width_mismatches = {
        (*key, pane_ms): (counted.too_narrow, counted.too_wide)
        for key, pane_ms, counted in partial.width_mismatches
    }
    assert width_mismatches == {
        place: (one["too_few_columns"], one["too_many_columns"])
        for place, one in said.width_mismatches.items()
    }
    panes = {(*key, pane_ms): profile for key, pane_ms, profile in partial.profiles}
    assert {key: profile.counts.tolist() for key, profile in panes.items()} == {
        key: p.counts for key, p in said.panes.items()
    }
    for key, profile in panes.items():
        assert profile.rows == said.panes[key].rows
        same_numbers(profile, said.panes[key])


def same_numbers(profile: Profile, pane: oracle.Pane) -> None:
    for i, feature in enumerate(events.layout.features):
        numbers = pane.numbers[i]
        if feature.numeric and all(abs(x) < 1e150 for x in numbers):
            scale = math.fsum(abs(x - feature.center) ** k for x in numbers for k in (1, 2))
            assert profile.sums[i].tolist() == pytest.approx(
                pane.sums(i), rel=1e-9, abs=1e-9 * scale + 1e-300
            )
            assert (profile.low[i], profile.high[i]) == (
                min(numbers, default=math.inf),
                max(numbers, default=-math.inf),
            )


@pytest.mark.parametrize("form", CAPTURES)
@BROAD
@given(values=events.records(events.captures()))
def test_capture_lines_of_every_kind_are_counted_as_the_oracle_counts(
    form: Sagemaker, values: list[bytes | None]
) -> None:
    check(form, values, reader(form))


@pytest.mark.parametrize("many_columns", [1, 1000], ids=["cut into cells", "typed by Arrow"])
@BROAD
@given(values=st.lists(events.near_misses(), min_size=1, max_size=4))
def test_an_accident_touches_no_neighbour_and_leaves_no_trace(
    many_columns: int, values: list[list[bytes | None]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream.formats.csv_batch.MANY_COLUMNS", many_columns)
        one = reader(Sagemaker())
        for batch in values:
            check(Sagemaker(), batch, one)


@BROAD
@given(values=events.json_near_misses())
def test_json_sides_are_counted_as_the_oracle_counts(values: list[bytes | None]) -> None:
    check(Sagemaker(), values, reader(Sagemaker()))


@pytest.mark.parametrize("form", JSONS)
@BROAD
@given(values=events.records(events.json_events()))
def test_json_events_of_every_kind_are_counted_as_the_oracle_counts(
    form: Json, values: list[bytes | None]
) -> None:
    check(form, values, reader(form))


@pytest.mark.parametrize("form", [CAPTURES[0], JSONS[1]])
@BROAD
@given(data=st.data())
def test_ids_are_kept_for_the_join_with_labels(form: Sagemaker | Json, data: st.DataObject) -> None:
    values = data.draw(
        events.records(events.captures() if isinstance(form, Sagemaker) else events.json_events())
    )
    decoded = form.open(ORIGIN, ReadingPlan({"m": ModelColumns(*MODEL)}, form).plan).decode(
        [raw(values)]
    )
    said = oracle.count(records(values), {"m": MODEL}, form, ORIGIN, CLOCKING)
    assert {i: (decoded.event_ids[i], decoded.inference_ids[i]) for i in said.ids} == said.ids


@BROAD
@given(
    values=st.one_of(events.near_misses(), events.near_misses(), events.records(events.captures())),
    cuts=st.lists(st.integers(0, 12), max_size=3),
)
def test_cutting_the_stream_into_other_batches_changes_no_integer(
    values: list[bytes | None], cuts: list[int]
) -> None:
    whole, parts = reader(Sagemaker()).fold([raw(values)]), reader(Sagemaker())
    bounds = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
    partials = [parts.fold([raw(values[start:stop], start)]) for start, stop in pairwise(bounds)]
    assert [letter for part in partials for letter in part.dead] == whole.dead
    assert sum((+Counter(part.covers[0].outcomes) for part in partials), Counter()) == +Counter(
        whole.covers[0].outcomes
    )
    assert sum((Counter(part.covers[0].bytes) for part in partials), Counter()) == Counter(
        whole.covers[0].bytes
    )
    assert partials[-1].covers[0].mark_ms == whole.covers[0].mark_ms
    together = {(key, pane_ms): profile for key, pane_ms, profile in whole.profiles}
    apart: dict[tuple[ModelKey, int], Profile] = {}
    for part in partials:
        for key, pane_ms, profile in part.profiles:
            apart.setdefault((key, pane_ms), Profile(profile.layout)).merge(profile)
    assert {key: p.counts.tolist() for key, p in apart.items()} == {
        key: p.counts.tolist() for key, p in together.items()
    }
    for place, profile in apart.items():
        assert np.allclose(profile.sums, together[place].sums, rtol=1e-9, equal_nan=True)
