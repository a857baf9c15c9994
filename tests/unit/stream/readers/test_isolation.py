"""Errors of a decoder or of the count: only the record that causes them is not counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from stream.baselining.columns import ModelColumns
from stream.events import Assign, DecodedRecords, Partial, RawBatch
from stream.formats.base import Decoder
from stream.formats.json import Json
from stream.outcomes import FAILS_DECODING
from stream.readers.grouping import group_rows
from stream.readers.isolation import isolate
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.format import LAYOUT, TIME, identity
from stream.testing.records import raw_batch
from tests.support.records import NoSource, job_settings

POISON = 777


class Fragile:
    """A decoder that raises an error on records with the poison."""

    def __init__(self, decoder: Decoder, error: Exception) -> None:
        self._decoder = decoder
        self._error = error

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        if any(str(POISON).encode() in (value or b"") for raw in raws for value in raw.values):
            raise self._error
        return self._decoder.decode(raws)


class FragileJson(Json, frozen=True, tag="fragile"):
    """Events on which the decoder may raise."""

    error: Any = ValueError("a value")

    def open(self, *args: Any) -> Decoder:
        return Fragile(super().open(*args), self.error)


def event(k: int) -> bytes:
    return json.dumps({"time": TIME, "id": str(k), "p": 0.5, "x": k, "n": 7, "t": "a"}).encode()


def partial(form: Json, values: Sequence[bytes | None]) -> Partial:
    reader = Reader(NoSource(), form, identity(), job_settings())
    reader.use(ReadingPlan({"m": ModelColumns(("p",), ("x", "n", "t"), LAYOUT)}, form))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    middle = len(values) // 2
    return reader.fold([raw_batch(values[:middle]), raw_batch(values[middle:], first=middle)])


@pytest.mark.parametrize(
    "error", [ValueError("a value"), OverflowError(), KeyError("x"), TypeError()]
)
@pytest.mark.parametrize("poisoned", [[0], [5], [9], [4, 5], list(range(10))])
def test_records_on_which_the_decoder_raises_are_the_only_dead_letters(
    error: Exception, poisoned: list[int]
) -> None:
    values = [event(POISON if k in poisoned else k) for k in range(10)]
    found = partial(FragileJson(error=error), values)
    reasons = [(letter.position, letter.reason) for letter in found.dead_letters]
    assert reasons == [(k, FAILS_DECODING) for k in poisoned]
    assert all(letter.detail.startswith(type(error).__name__) for letter in found.dead_letters)
    assert not any("a value" in letter.detail for letter in found.dead_letters)
    [cover] = found.covers
    assert cover.outcomes.get("accepted", 0) == cover.rows == 10 - len(poisoned)
    assert cover.read == sum(cover.outcomes.values()) == 10
    expected = partial(Json(), [value for k, value in enumerate(values) if k not in poisoned])
    assert [p.counts.tolist() for _, _, p in found.profiles] == [
        p.counts.tolist() for _, _, p in expected.profiles
    ]


def test_a_record_on_which_the_count_raises_is_the_only_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fragile(batch: Any, model: Any, pane_ms: Any, uncounted: Any) -> Any:
        groups = group_rows(batch, model, pane_ms, uncounted)
        if POISON in batch.columns["x"].values[groups.rows]:
            raise ArithmeticError("a value")
        return groups

    monkeypatch.setattr("stream.readers.reader.group_rows", fragile)
    found = partial(Json(), [event(k) for k in (1, 2, POISON, 4)])
    assert [(letter.position, letter.reason) for letter in found.dead_letters] == [
        (2, FAILS_DECODING)
    ]
    assert found.covers[0].outcomes["accepted"] == 3
    assert sum(profile.rows for _, _, profile in found.profiles) == 3


def test_lack_of_memory_is_no_fault_of_a_short_record() -> None:
    with pytest.raises(MemoryError):
        partial(FragileJson(error=MemoryError()), [event(1), event(POISON)])
    long = event(POISON)[:-1] + b', "more": "' + b"x" * 1_000_000 + b'"}'
    found = partial(FragileJson(error=MemoryError()), [event(1), long, event(2)])
    assert [letter.position for letter in found.dead_letters] == [1]


def test_an_error_on_no_record_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        isolate(0, lambda start, stop: 1 // (stop - start))
