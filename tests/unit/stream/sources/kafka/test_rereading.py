"""Reading again what a client could not read: tries, outages, and ends that are unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import FetchResult, RecordColumns, Unreadable
from stream.sources.kafka.rereading import TRIES, Reread, Rereading

FOUND = Unreadable("the name of a header is not UTF-8")
DAMAGED = Unreadable("CorruptRecordError: failed the CRC check", 50)
NOTHING = FetchResult({}, {}, {})


class Client:
    """Returns prepared results of polls."""

    def __init__(self, *results: FetchResult) -> None:
        self.results = list(results)
        self.fetched: list[tuple[list[int], dict[int, int]]] = []
        self.following: int | None = None
        self.closed = False

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        self.fetched.append((list(partitions), dict(seeks)))

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        return self.results.pop(0)

    def position(self, partition: int) -> int | None:
        return self.following

    def close(self) -> None:
        self.closed = True


def rereading(client: Client) -> Rereading:
    return Rereading("kafka", "t", lambda: client)  # type: ignore[arg-type, return-value]


def records(start: int, stop: int) -> RecordColumns:
    count = stop - start
    return RecordColumns(
        offsets=list(range(start, stop)),
        timestamps=[0] * count,
        values=[b""] * count,
        keys=[None] * count,
        headers=[],
    )


def unreadable(found: Unreadable) -> FetchResult:
    return FetchResult({}, {}, {3: found})


def test_records_that_the_second_client_reads_are_returned() -> None:
    client = Client(FetchResult({3: records(20, 25)}, {}, {}))
    assert rereading(client).read(3, 20, FOUND, 100) == Reread(records(20, 25), 25)
    assert client.fetched == [([3], {3: 20})]


def test_reading_continues_after_records_that_are_not_returned() -> None:
    """The rest of the batch was aborted or compacted."""
    client = Client(FetchResult({3: records(20, 25)}, {}, {}), NOTHING)
    client.following = 31
    assert rereading(client).read(3, 20, FOUND, 100) == Reread(records(20, 25), 31)
    assert rereading(client).read(3, 20, FOUND, 100) == Reread(None, 31)


def test_damaged_records_are_fetched_three_times_and_then_passed_over() -> None:
    client = Client(*[unreadable(DAMAGED)] * 9)
    assert rereading(client).read(3, 20, FOUND, 100) == DAMAGED
    assert len(client.fetched) == TRIES == 3


def test_records_that_were_damaged_on_their_way_are_read_by_the_next_try() -> None:
    client = Client(unreadable(DAMAGED), FetchResult({3: records(20, 25)}, {}, {}))
    assert rereading(client).read(3, 20, FOUND, 100) == Reread(records(20, 25), 25)


def test_an_outage_is_no_try() -> None:
    client = Client(unreadable(DAMAGED), *[NOTHING] * 5, *[unreadable(DAMAGED)] * 2)
    reading = rereading(client)
    outcomes = [reading.read(3, 20, FOUND, 100) for _ in range(6)]
    assert outcomes == [None] * 5 + [DAMAGED]


def test_a_broker_that_cannot_be_reached_is_tried_again_later() -> None:
    def refuse() -> None:
        raise SourceUnavailable("kafka", ["ECONNREFUSED"], "", transient=True)

    assert Rereading("kafka", "t", refuse).read(3, 20, FOUND, 100) is None  # type: ignore[arg-type]


def test_a_position_that_is_refused_is_left_to_the_fetching_client() -> None:
    client = Client(FetchResult({}, {3: None}, {}))
    assert rereading(client).read(3, 20, FOUND, 100) == Reread(None, 20)


def test_an_unknown_end_is_an_error_that_names_partition_offset_and_reason() -> None:
    client = Client(*[unreadable(Unreadable("error: half a batch"))] * 3)
    with pytest.raises(SourceUnavailable, match=r"t-3 at offset 20: error: half a batch"):
        rereading(client).read(3, 20, FOUND, 100)


def test_a_version_that_was_not_tested_is_an_error_that_names_partition_offset_and_reason() -> None:
    def refuse() -> None:
        raise SourceUnavailable("kafka", ["not tested"], "Install another")

    with pytest.raises(SourceUnavailable, match=r"t-3 at offset 20: the name of a header.*Install"):
        Rereading("kafka", "t", refuse).read(3, 20, FOUND, 100)  # type: ignore[arg-type]


def test_the_client_is_opened_once_and_closed() -> None:
    client = Client(NOTHING, NOTHING)
    opened: list[int] = []
    reading = Rereading("kafka", "t", lambda: opened.append(1) or client)  # type: ignore[arg-type, func-returns-value, return-value]
    reading.close()
    reading.read(3, 20, FOUND, 100)
    reading.read(4, 20, FOUND, 100)
    reading.close()
    assert (opened, client.closed) == ([1], True)
