"""Sinks, sources and formats with one planted fault each, and the law that finds it.

``test_planted_faults.py`` runs this file: a law in :data:`FOUND_BY` that passes here finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from sinks.base import Delivery, Published
from sinks.errors import SinkRetry
from sinks.jsonl import Jsonl as JsonlSink
from stream.events import Assign, DecodedRecords, DiscoveredPartition, Gap, Position, RawBatch
from stream.formats.base import Decoder, DecodingPlan, IdentityConfig
from stream.formats.json import Json
from stream.sources.base import Reading
from stream.sources.jsonl.source import Jsonl as JsonlSource
from stream.testing.format import FormatContract
from stream.testing.sink import SinkContract
from stream.testing.source import SourceContract
from tests.contract.test_formats import EXAMPLES, Example
from tests.contract.test_sinks import JsonlRig
from tests.contract.test_sources import FileRig

FOUND_BY: dict[str, str] = {
    "TestLostItem": "test_one_call_delivers_all_that_many_calls_deliver",
    "TestNewIdOfARepeat": "test_a_repeat_shows_readers_nothing_new",
    "TestSilentOutage": "test_it_opens_while_the_other_side_is_down_and_asks_for_a_retry",
    "TestCloseOnce": "test_close_is_safe_twice_and_before_the_first_delivery",
    "TestSkippedRecord": "test_reading_begins_at_the_record_that_a_position_names",
    "TestNoGap": "test_a_lost_position_is_one_gap_and_reading_resumes_when_assigned",
    "TestNextIsFirst": "test_batches_of_a_partition_are_contiguous",
    "TestRaisingDecoder": "test_no_content_of_a_record_raises",
    "TestNeighbours": "test_a_bad_record_is_rejected_once_with_a_reason_and_changes_no_count",
    "TestTimeOfBatch": "test_records_keep_their_order_over_several_raw_batches",
    "TestFormatWithoutDocstring": "test_its_docstring_describes_the_records",
}
"""Class of a planted fault -> the law that finds it."""


# Sinks


class PlantedDelivery(Delivery):
    """Delivers through another sink, with a fault."""

    def __init__(self, inner: Delivery, fault: str) -> None:
        self._inner = inner
        self._fault = fault
        self._calls = 0
        self._closed = False

    def deliver(self, items: Sequence[Published]) -> None:
        self._calls += 1
        if self._fault == "lost item" and len(items) > 1:
            items = items[:-1]
        if self._fault == "new id":
            items = [msgspec.structs.replace(item, id=f"{item.id}{self._calls}") for item in items]
        try:
            self._inner.deliver(items)
        except SinkRetry:
            if self._fault != "silent outage":
                raise

    def close(self) -> None:
        if self._fault == "close once" and self._closed:
            raise OSError("closed already")
        self._closed = True
        self._inner.close()


class PlantedSink(JsonlSink, frozen=True, kw_only=True, tag="planted"):
    """A repeat appends the items again."""

    fault: str

    def open(self, job: str) -> Delivery:
        return PlantedDelivery(super().open(job), self.fault)


class PlantedSinkContract(SinkContract):
    fault: str

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Any:
        fault = self.fault

        class Rig(JsonlRig):
            def sink(self) -> PlantedSink:
                return PlantedSink(path=super().sink().path, fault=fault)

            def unreachable(self) -> PlantedSink:
                return PlantedSink(path=super().unreachable().path, fault=fault)

        return Rig(tmp_path)


class TestLostItem(PlantedSinkContract):
    fault = "lost item"


class TestNewIdOfARepeat(PlantedSinkContract):
    fault = "new id"


class TestSilentOutage(PlantedSinkContract):
    fault = "silent outage"


class TestCloseOnce(PlantedSinkContract):
    fault = "close once"


# Sources


class PlantedReading(Reading):
    """Reads through another source, with a fault."""

    def __init__(self, inner: Reading, fault: str) -> None:
        self._inner = inner
        self._fault = fault
        self._claim = 0

    def discover(self) -> list[DiscoveredPartition]:
        return self._inner.discover()

    def assigned_elsewhere(self, partitions: Mapping[str, Position]) -> None:
        self._inner.assigned_elsewhere(partitions)

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        self._inner.publish_positions(positions)

    def close(self) -> None:
        self._inner.close()

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        self._claim = max(assign.claim for assign in assigns)
        gaps = self._inner.assign(assigns)
        return [] if self._fault == "no gap" else gaps

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        return [self._planted(result) for result in self._inner.poll(timeout_s, max_records)]

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        return self._inner.lag(positions)

    def _planted(self, result: RawBatch | Gap) -> RawBatch | Gap:
        if not isinstance(result, RawBatch):
            return result
        if self._fault == "next is first":
            return msgspec.structs.replace(result, next=result.first)
        if self._fault == "skipped record" and self._claim > 1 and result.values:
            values = [*result.values[1:], result.values[-1]]
            return msgspec.structs.replace(result, values=values)
        return result


class PlantedSource(JsonlSource, frozen=True, kw_only=True, tag="planted"):
    """A file of lines."""

    fault: str

    def open(self, job: str) -> Reading:
        return PlantedReading(super().open(job), self.fault)


class PlantedSourceContract(SourceContract):
    fault: str

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Any:
        fault = self.fault

        class Rig(FileRig):
            def source(self) -> PlantedSource:
                return PlantedSource(path=super().source().path, follow=True, fault=fault)

        return Rig(tmp_path)


class TestSkippedRecord(PlantedSourceContract):
    fault = "skipped record"


class TestNoGap(PlantedSourceContract):
    fault = "no gap"


class TestNextIsFirst(PlantedSourceContract):
    fault = "next is first"


# Formats


class PlantedDecoder:
    """Decodes through another format, with a fault."""

    def __init__(self, inner: Decoder, fault: str) -> None:
        self._inner = inner
        self._fault = fault

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        decoded = self._inner.decode(raws)
        if self._fault == "raises" and any(r.reason == "undecodable" for r in decoded.rejects):
            raise ValueError("undecodable")
        if self._fault == "neighbour" and decoded.rejects:
            return msgspec.structs.replace(decoded, batches=[])
        if self._fault == "time of batch" and len(decoded.time_ms):
            return msgspec.structs.replace(
                decoded, time_ms=np.full_like(decoded.time_ms, decoded.time_ms.max())
            )
        return decoded


class PlantedFormat(Json, frozen=True, kw_only=True, tag="planted"):
    """Objects of JSON, as format json reads them."""

    fault: str

    def open(self, identity: IdentityConfig, plan: DecodingPlan) -> Decoder:
        return PlantedDecoder(super().open(identity, plan), self.fault)


class PlantedFormatContract(FormatContract):
    fault: str

    @pytest.fixture
    def rig(self) -> Example:
        form = PlantedFormat(id="id", inference_id="inference", fault=self.fault)
        return EXAMPLES["json"]._replace(form=form)


class TestRaisingDecoder(PlantedFormatContract):
    fault = "raises"


class TestNeighbours(PlantedFormatContract):
    fault = "neighbour"


class TestTimeOfBatch(PlantedFormatContract):
    fault = "time of batch"


class FormatWithoutDocstring(Json, frozen=True, kw_only=True, tag="planted"):
    pass


class TestFormatWithoutDocstring(FormatContract):
    @pytest.fixture
    def rig(self) -> Example:
        form = FormatWithoutDocstring(id="id", inference_id="inference")
        return EXAMPLES["json"]._replace(form=form)
