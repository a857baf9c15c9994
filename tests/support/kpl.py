"""Records aggregated by the reference implementation of the Kinesis Producer Library."""

from __future__ import annotations

from collections.abc import Iterable

from aws_kinesis_agg.aggregator import RecordAggregator


def aggregated(records: Iterable[tuple[str, bytes]]) -> bytes:
    """Aggregate keys and values; they must fit into one record."""
    aggregator = RecordAggregator()
    for key, value in records:
        assert aggregator.add_user_record(key, value) is None
    _, _, data = aggregator.clear_and_get().get_contents()
    return bytes(data)
