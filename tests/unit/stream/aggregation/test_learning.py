"""Rows to learn a baseline from: which are kept, and when there are enough."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest

from stream.aggregation.learning import collect, is_due
from stream.aggregation.state import ModelState
from stream.event_time import LearningRule
from stream.events import ModelKey, Sample

M = ModelKey("m", "v")
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY = LearningRule(rows=240, at_least_ms=24 * HOUR_MS)


def sample(numbers: range, pane_ms: int = 0) -> Sample:
    table = pa.table({"x": [str(number) for number in numbers]})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return Sample(M, pane_ms, len(numbers), stream.getvalue().to_pybytes())


def kept(model: ModelState) -> list[int]:
    texts = [pa.ipc.open_stream(data).read_all()["x"].to_pylist() for data in model.samples]
    return [int(text) for part in texts for text in part]


@pytest.mark.parametrize("ends", [(1_000,), (600, 1_000), (100, 1_000), (599, 600, 1_000)])
def test_without_a_time_the_first_rows_are_kept_however_they_are_divided(
    ends: tuple[int, ...],
) -> None:
    model, rule = ModelState("b", learning=True), LearningRule(rows=600)
    for start, end in pairwise((0, *ends)):
        collect(model, sample(range(start, end)), rule, HOUR_MS)
    assert kept(model) == list(range(600))
    assert is_due(model, rule, HOUR_MS)


def test_a_model_of_an_earlier_version_goes_on_with_the_rows_that_it_has() -> None:
    model = ModelState("b", learning=True, sampled_rows=3, samples=[sample(range(3)).data])
    collect(model, sample(range(3, 10)), LearningRule(rows=5), HOUR_MS)
    assert kept(model) == [0, 1, 2, 3, 4]


def test_of_a_day_each_hour_gives_the_same_number_of_rows() -> None:
    """Hour ``h`` has the rows ``100 h`` to ``100 h + 99``; the first ten of each are kept."""
    model = ModelState("b", learning=True)
    for hour in range(26):
        assert not is_due(model, DAY, MINUTE_MS)
        collect(model, sample(range(100 * hour, 100 * hour + 100), hour * HOUR_MS), DAY, MINUTE_MS)
    assert kept(model) == [100 * hour + k for hour in range(26) for k in range(10)]
    assert is_due(model, DAY, MINUTE_MS)


def test_ten_minutes_are_ten_panes_of_a_minute_and_a_part_at_each_end() -> None:
    rule = LearningRule(rows=50, at_least_ms=10 * MINUTE_MS)
    model = ModelState("b", learning=True)
    for minute in range(12):
        assert not is_due(model, rule, MINUTE_MS)
        collect(model, sample(range(20), minute * MINUTE_MS), rule, MINUTE_MS)
    assert is_due(model, rule, MINUTE_MS)
    assert kept(model) == list(range(5)) * 12


def test_a_day_with_too_few_rows_is_followed_by_another() -> None:
    model = ModelState("b", learning=True)
    for hour in range(0, 94, 2):
        collect(model, sample(range(hour, hour + 5), hour * HOUR_MS), DAY, MINUTE_MS)
    assert (model.sampled_rows, is_due(model, DAY, MINUTE_MS)) == (235, False)
    collect(model, sample(range(5), 94 * HOUR_MS), DAY, MINUTE_MS)
    assert is_due(model, DAY, MINUTE_MS)


def test_an_event_dated_far_back_does_not_shorten_the_time() -> None:
    model, rule = ModelState("b", learning=True), LearningRule(rows=2, at_least_ms=24 * HOUR_MS)
    collect(model, sample(range(1), 0), rule, MINUTE_MS)
    collect(model, sample(range(1, 3), 720 * HOUR_MS), rule, MINUTE_MS)
    assert not is_due(model, rule, MINUTE_MS)
