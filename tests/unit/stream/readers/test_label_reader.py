from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.profiles.hashing import hashed
from stream.events import Assign, DiscoveredPartition, Gap, RawBatch, Rejection
from stream.formats.base import TimeConfig
from stream.labels.base import DecodedLabels, LabelFormat
from stream.labels.formats.ground_truth import GroundTruth
from stream.labels.formats.json import JsonLabels
from stream.labels.rows import LABEL, NUMBER, UNTIMED_MS, LabelRange, Rows
from stream.labels.sampling import sampled
from stream.outcomes import ADVICE
from stream.readers.label_reader import LabelReader, LabelReading
from stream.testing.records import raw_batch
from tests.support.examples import examples
from tests.support.records import NoSource, job_settings

NOW_MS = 1_750_000_000_000
CLOCK_MS = NOW_MS + 1_000
DATED = JsonLabels(time=TimeConfig(unit="ms", missing="arrival"))


class Scripted(NoSource):
    """A source that returns what the test gives it."""

    def __init__(self, *polled: RawBatch | Gap) -> None:
        self.polled = list(polled)
        self.assigned: list[Assign] = []

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        self.assigned += assigns
        return []

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        return self.polled


def label(id_: object, value: object = 1, time: object = None) -> bytes:
    stated = {} if time is None else {"time": time}
    return json.dumps({"id": id_, "label": value, **stated}).encode()


def reader(
    form: LabelFormat | None = None, mark_ms: int | None = None, **rules: Any
) -> LabelReader:
    made = LabelReader(
        Scripted(),
        form or JsonLabels(),
        job_settings(),
        LabelReading(**rules),
        clock=lambda: CLOCK_MS,
    )
    made.assign([Assign(claim=3, partition="p", next=0, mark_ms=mark_ms)])
    return made


def read(values: Sequence[bytes | None], arrival_ms: int = -1, **options: Any) -> LabelRange:
    [of_range] = reader(**options).ranges([raw_batch(values, arrival_ms=arrival_ms)])
    return of_range


def rows_of(of_range: LabelRange) -> Rows:
    return np.frombuffer(of_range.rows, LABEL)


def balance(of_range: LabelRange) -> int:
    """The records that are labels, and those that are not."""
    return len(set(rows_of(of_range)["sequence"].tolist())) + sum(of_range.rejected.values())


def test_a_range_covers_its_records_under_the_claim() -> None:
    of_range = read([label("a"), label("b")])
    assert (of_range.partition, of_range.claim) == ("p", 3)
    assert (of_range.first, of_range.next, of_range.read) == (0, 2, 2)
    assert of_range.positions == [0, 1]


def test_ids_are_hashed_as_those_of_events() -> None:
    ids = ["a", "b\u00e4", "7"]
    rows = rows_of(read([label("a"), label("b\u00e4"), label(7)]))
    assert rows["id"].tolist() == hashed(pa.array(ids)).tolist()


def test_numbers_and_texts_are_told_apart_and_rows_of_an_event_follow_each_other() -> None:
    values = [label("a", 0.5), label("b", ["x", 2, True]), label("c", "2.0"), label("d", "x")]
    of_range = read(values)
    rows = rows_of(of_range)
    assert of_range.texts == ("x", "true")
    assert rows["code"].tolist() == [NUMBER, 0, NUMBER, 1, NUMBER, 0]
    np.testing.assert_array_equal(rows["value"], [0.5, np.nan, 2.0, np.nan, 2.0, np.nan])
    assert rows["sequence"].tolist() == [0, 1, 1, 1, 2, 3]
    assert rows["row"].tolist() == [0, 0, 1, 2, 0, 0]
    assert rows["rows"].tolist() == [1, 3, 3, 3, 1, 1]


def test_a_record_that_is_no_label_is_counted_and_becomes_a_dead_letter() -> None:
    of_range = read([label("a"), None, b"{", label("", 5), label("s3cr3t", float("nan"))])
    assert of_range.rejected == {
        "tombstone": 1,
        "undecodable": 1,
        "id_missing": 1,
        "label_invalid": 1,
    }
    assert [(letter.position, letter.reason) for letter in of_range.letters] == [
        (1, "tombstone"),
        (2, "undecodable"),
        (3, "id_missing"),
        (4, "label_invalid"),
    ]
    assert all(letter.payload is None for letter in of_range.letters)
    assert rows_of(of_range)["sequence"].tolist() == [0]


def test_dead_letters_keep_the_payload_on_request() -> None:
    assert [letter.payload for letter in read([b"{"], keep_payload=True).letters] == [b"{"]


def test_the_mark_is_the_highest_stated_time() -> None:
    times = [None, 1_000, -5_000, 2_000, 500]
    stated = [None if time is None else NOW_MS - 60_000 + time for time in times]
    of_range = read([label("a", time=time) for time in stated], form=DATED)
    base = NOW_MS - 60_000
    expected = [UNTIMED_MS, base + 1_000, base + 1_000, base + 2_000, base + 2_000]
    assert rows_of(of_range)["time_ms"].tolist() == expected
    assert of_range.mark_ms == base + 2_000


def test_a_label_without_a_time_has_the_time_at_which_the_log_took_it() -> None:
    of_range = read([label("a")], arrival_ms=NOW_MS)
    assert rows_of(of_range)["time_ms"].tolist() == [NOW_MS] == [of_range.mark_ms]
    assert of_range.arrival_ms == NOW_MS


@pytest.mark.parametrize(("mark_ms", "time_ms"), [(None, UNTIMED_MS), (NOW_MS - 9, NOW_MS - 9)])
def test_the_time_of_a_file_says_nothing_about_its_labels(
    mark_ms: int | None, time_ms: int
) -> None:
    of_range = read([label("a")], arrival_ms=NOW_MS, mark_ms=mark_ms, dates_records=False)
    assert rows_of(of_range)["time_ms"].tolist() == [time_ms]
    assert of_range.mark_ms == mark_ms


@pytest.mark.parametrize("arrival_ms", [NOW_MS, -1])
def test_a_time_of_the_future_does_not_move_the_mark(arrival_ms: int) -> None:
    """The tolerance is a minute, and the clock is a second after the arrival."""
    ahead, within = NOW_MS + 61_001, NOW_MS + 60_000
    values = [label("a", time=NOW_MS), label("b", time=ahead), label("c", time=within)]
    of_range = read(values, arrival_ms=arrival_ms, form=DATED)
    assert rows_of(of_range)["time_ms"].tolist() == [NOW_MS, NOW_MS, within]
    assert of_range.mark_ms == within
    assert of_range.rejected == {}


def test_an_arrival_after_the_clock_does_not_move_the_mark() -> None:
    assert read([label("a")], arrival_ms=CLOCK_MS + 1).mark_ms is None


def test_a_record_that_is_no_label_does_not_move_the_mark() -> None:
    assert read([b"{", label("")], arrival_ms=NOW_MS).mark_ms is None


def test_the_sample_is_that_of_the_predictions_and_the_rest_is_counted() -> None:
    ids = [f"event-{k}" for k in range(2_000)]
    of_range = read([label(id_) for id_ in ids], sample=0.25, arrival_ms=NOW_MS)
    hashes = hashed(pa.array(ids))
    chosen = np.flatnonzero(sampled(hashes, 0.25))
    assert rows_of(of_range)["id"].tolist() == hashes[chosen].tolist()
    assert rows_of(of_range)["sequence"].tolist() == chosen.tolist()
    assert of_range.rejected == {"not_sampled": 2_000 - len(chosen)}
    assert of_range.mark_ms == NOW_MS


def test_the_mark_continues_in_the_next_range_and_from_an_assignment() -> None:
    made = reader(DATED, mark_ms=NOW_MS - 10)
    first, second = (
        raw_batch([label("a", time=NOW_MS - 20)]),
        raw_batch([label("b", time=NOW_MS - 5)], first=1),
    )
    ranges = made.ranges([first, second])
    assert [of_range.mark_ms for of_range in ranges] == [NOW_MS - 10, NOW_MS - 5]
    [third] = made.ranges([raw_batch([label("c", time=NOW_MS - 7)], first=2)])
    assert (third.mark_ms, third.first) == (NOW_MS - 5, 2)


def test_a_poll_returns_gaps_and_ranges_of_assigned_partitions() -> None:
    gap = Gap(partition="p", expected=0, resume=4, lost=4, reason="retention")
    child = DiscoveredPartition("q", 0, ("p",))
    ended = raw_batch([label("a")], ended=True, at_end=True, children=(child,))
    source = Scripted(gap, raw_batch([label("b")], "unknown"), ended)
    made = LabelReader(source, JsonLabels(), job_settings())
    assert made.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)]) == []
    found_gap, of_range = made.poll(0)
    assert found_gap is gap
    assert isinstance(of_range, LabelRange)
    assert (of_range.ended, of_range.at_end, of_range.children) == (True, True, (child,))
    assert made.poll(0) == [gap]


def test_a_range_without_records_moves_the_position() -> None:
    empty = raw_batch([], first=7, at_end=True)
    [of_range] = reader(mark_ms=5).ranges([empty])
    assert (of_range.read, of_range.rows, of_range.at_end) == (0, b"", True)
    assert (of_range.mark_ms, of_range.arrival_ms) == (5, None)


class Raising(LabelFormat, frozen=True, tag="raising"):
    """A format whose decoder raises on a record."""

    def open(self) -> RaisingDecoder:
        return RaisingDecoder()


class RaisingDecoder:
    def decode(self, raws: Sequence[RawBatch]) -> DecodedLabels:
        values = [value for raw in raws for value in raw.values]
        if b"bug" in values:
            raise ZeroDivisionError
        texts = [str(value) for value in values]
        kept = [k for k, value in enumerate(values) if value != b"bad"]
        rejects = [Rejection(k, "undecodable") for k in range(len(values)) if k not in kept]
        return DecodedLabels(
            kept, [texts[k] for k in kept], [1.0] * len(kept), [-1] * len(kept), rejects
        )


def test_a_record_on_which_the_decoder_raises_is_rejected_alone() -> None:
    of_range = read([b"a", b"bad", b"bug", b"b", b"bug", b"bad", b"c"], form=Raising())
    assert rows_of(of_range)["sequence"].tolist() == [0, 3, 6]
    assert [(letter.position, letter.reason) for letter in of_range.letters] == [
        (1, "undecodable"),
        (2, "fails_decoding"),
        (4, "fails_decoding"),
        (5, "undecodable"),
    ]


def test_texts_beyond_the_room_of_a_range_are_rejected() -> None:
    distinct = [f"c{k}" for k in range(32_768)]
    of_range = read([label("a", distinct), label("b", "c0"), label("c", "c32767")])
    assert of_range.rejected == {"label_invalid": 2}
    assert rows_of(of_range)["code"].tolist() == [0]
    assert len(of_range.texts) == 32_767


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "1,0", "a\nb", "CSV", "JSON", "BASE64", '{"x": 1}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "label", "time", "groundTruthData", "eventMetadata", "eventId", "data"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
GROUND_TRUTHS = st.fixed_dictionaries(
    {
        "groundTruthData": st.fixed_dictionaries(
            {}, optional={"data": JSON_VALUES, "encoding": JSON_VALUES}
        ),
        "eventMetadata": st.fixed_dictionaries({}, optional={"eventId": JSON_VALUES}),
    }
)
LABELS = st.fixed_dictionaries(
    {}, optional={"id": JSON_VALUES, "label": JSON_VALUES, "time": JSON_VALUES}
)
RECORDS = (
    st.none()
    | st.binary(max_size=30)
    | st.one_of(LABELS, GROUND_TRUTHS, JSON_VALUES).map(lambda d: json.dumps(d).encode())
)


@settings(derandomize=True, deadline=None, max_examples=examples(300))
@given(values=st.lists(RECORDS, max_size=8), cut=st.integers(0, 8))
@pytest.mark.parametrize(
    "form", [GroundTruth(), JsonLabels(), DATED, JsonLabels(time=TimeConfig())], ids=repr
)
def test_each_record_of_any_bytes_has_one_outcome_whatever_the_batches(
    form: LabelFormat, values: list[bytes | None], cut: int
) -> None:
    whole = read(values, form=form, arrival_ms=NOW_MS)
    assert balance(whole) == len(values) == whole.read
    assert set(whole.rejected) <= set(ADVICE)
    assert len(whole.letters) == sum(whole.rejected.values())
    assert np.isfinite(rows_of(whole)["value"][rows_of(whole)["code"] == NUMBER]).all()
    parts = [
        raw_batch(values[:cut], arrival_ms=NOW_MS),
        raw_batch(values[cut:], arrival_ms=NOW_MS, first=len(values[:cut])),
    ]
    ranges = reader(form).ranges(parts)
    assert [letter for part in ranges for letter in part.letters] == whole.letters
    assert ranges[-1].mark_ms == whole.mark_ms
    rows = np.concatenate([rows_of(part) for part in ranges])
    for name in ("id", "time_ms", "row", "rows", "value"):
        np.testing.assert_array_equal(rows[name], rows_of(whole)[name])
