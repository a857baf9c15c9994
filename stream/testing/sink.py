"""The contract of a sink: the laws of its deliveries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from sinks.base import Delivery, Published, Sink
from sinks.courier import Courier
from sinks.errors import SinkRetry
from stream.testing.configuration import ConfigurationContract, faults_without_network
from stream.testing.quality_reports import awaiting, quality_report, quality_signal
from stream.testing.reports import report, signal, silence
from stream.testing.schedule_reports import empty_hour, schedule_report

ITEMS: tuple[Published, ...] = (
    report(0),
    signal(0),
    report(1),
    report(1, 1),
    silence(2),
    silence(2, ended=True),
    signal(0, "recovered"),
    awaiting(0),
    quality_report(0),
    quality_signal(1),
    quality_report(0, 2, final=True),
    awaiting(2),
    awaiting(3),
    schedule_report(0),
    empty_hour(1),
    schedule_report(0, 1),
    schedule_report(2),
)
"""Reports and signals of four windows: a revision, a silence and its end, an episode, and the
quality of the first one as its labels come. Then a schedule: an hour, one without rows, a revision
of the first one, and a third one."""

OpenSink = Callable[[Sink], Delivery]


class SinkRig(Protocol):
    """A sink, a way to read what arrived on the other side, and the same sink without it."""

    def sink(self) -> Sink:
        """The configuration of the sink; equal each time, and to the same other side."""

    def arrived(self, delivery: Any) -> list[str]:
        """One text for each thing that a reader sees on the other side, empty before a delivery.

        Repeats are handled as the docstring of the sink asks of its readers: where it says that
        readers drop them by their id, this method does.
        """

    def unreachable(self) -> Sink | None:
        """The sink with another side that cannot be reached; ``None`` if it has no other side."""


class SinkContract(ConfigurationContract):
    """The laws of a sink. A subclass overrides the fixture ``rig``::

        from stream.testing.sink import SinkContract, SinkRig


        class LogRig:
            def __init__(self, folder):
                self._path = folder / "log"

            def sink(self):
                return Log(path=str(self._path))

            def arrived(self, delivery):
                lines = self._path.read_text().splitlines() if self._path.exists() else []
                return list(dict.fromkeys(lines))  # its docstring: readers drop repeats

            def unreachable(self):
                return Log(path="/no/such/folder/log")


        class TestLog(SinkContract):
            @pytest.fixture
            def rig(self, tmp_path) -> SinkRig:
                return LogRig(tmp_path)

    Each test gets a rig of its own, on whose other side nothing has arrived.
    """

    package: ClassVar = "sinks"
    base: ClassVar = Sink
    group: ClassVar = "driftline.sinks"

    @pytest.fixture
    def rig(self) -> SinkRig:
        """The sink under test."""
        raise NotImplementedError("override the fixture rig")

    @pytest.fixture
    def configuration(self, rig: SinkRig) -> Sink:
        return rig.sink()

    @pytest.fixture
    def opened(self) -> Iterator[OpenSink]:
        """Opens sinks, and closes them after the test."""
        deliveries: list[Delivery] = []

        def open_sink(sink: Sink) -> Delivery:
            deliveries.append(sink.open("contract"))
            return deliveries[-1]

        yield open_sink
        for delivery in deliveries:
            delivery.close()

    def test_its_docstring_says_what_a_repeat_does(self, rig: SinkRig) -> None:
        assert "repeat" in (type(rig.sink()).__doc__ or "").lower()

    def test_a_valid_sink_has_no_faults_and_is_checked_without_network(
        self, rig: SinkRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert faults_without_network(rig.sink(), monkeypatch) == []

    def test_it_takes_reports_or_signals_and_nothing_else(self, rig: SinkRig) -> None:
        takes = set(rig.sink().takes)
        assert takes
        assert takes <= {WindowReport, Signal, QualityReport, ScheduleReport}

    def test_its_destinations_are_names(self, rig: SinkRig) -> None:
        """Equal configurations have equal destinations, so that two of them are noticed."""
        destinations = rig.sink().destinations()
        assert destinations == rig.sink().destinations()
        assert all(isinstance(name, str) and name for name in destinations)

    def test_items_arrive_on_the_other_side(self, rig: SinkRig, opened: OpenSink) -> None:
        delivery = opened(rig.sink())
        delivery.rebuild([])
        delivery.rebuild_quality([])
        before = rig.arrived(delivery)
        delivery.deliver(taken(rig.sink()))
        assert set(rig.arrived(delivery)) > set(before)

    def test_a_repeat_shows_readers_nothing_new(self, rig: SinkRig, opened: OpenSink) -> None:
        items = taken(rig.sink())
        first = opened(rig.sink())
        first.deliver(items)
        once = rig.arrived(first)
        first.deliver(items)
        assert rig.arrived(first) == once
        restarted = opened(rig.sink())
        restarted.rebuild([])
        restarted.deliver(items)
        assert rig.arrived(restarted) == once

    def test_many_calls_have_the_same_result_as_one_call(
        self, rig: SinkRig, opened: OpenSink
    ) -> None:
        items = taken(rig.sink())
        delivery = opened(rig.sink())
        for item in items:
            delivery.deliver([item])
        one_by_one = rig.arrived(delivery)
        together = opened(rig.sink())
        together.deliver(items)
        assert rig.arrived(together) == one_by_one

    def test_one_call_delivers_all_that_many_calls_deliver(
        self, rig: SinkRig, opened: OpenSink
    ) -> None:
        items = taken(rig.sink())
        together = opened(rig.sink())
        together.deliver(items)
        at_once = rig.arrived(together)
        delivery = opened(rig.sink())
        for item in items:
            delivery.deliver([item])
        assert rig.arrived(delivery) == at_once

    def test_items_are_not_changed(self, rig: SinkRig, opened: OpenSink) -> None:
        items = taken(rig.sink())
        before = [msgspec.json.encode(item) for item in items]
        opened(rig.sink()).deliver(items)
        assert [msgspec.json.encode(item) for item in items] == before

    def test_an_empty_call_succeeds(self, rig: SinkRig, opened: OpenSink) -> None:
        opened(rig.sink()).deliver([])

    def test_a_restarted_sink_takes_the_newest_report_of_each_model(
        self, rig: SinkRig, opened: OpenSink
    ) -> None:
        """``rebuild`` restores memory; it delivers nothing that a reader would count again."""
        items = taken(rig.sink())
        first = opened(rig.sink())
        first.deliver(items)
        once = rig.arrived(first)
        restarted = opened(rig.sink())
        restarted.rebuild([silence(2, ended=True)])
        restarted.rebuild_quality([quality_report(0, 2, final=True)])
        restarted.deliver(items)
        assert rig.arrived(restarted) == once

    def test_its_own_metrics_can_be_exported(self, rig: SinkRig, opened: OpenSink) -> None:
        delivery = opened(rig.sink())
        delivery.deliver(taken(rig.sink()))
        assert delivery.left_out >= 0
        collector = delivery.collector()
        if collector is not None:
            registry = CollectorRegistry()
            registry.register(collector)
            assert generate_latest(registry)

    def test_close_is_safe_twice_and_before_the_first_delivery(self, rig: SinkRig) -> None:
        unused = rig.sink().open("contract")
        unused.close()
        unused.close()
        used = rig.sink().open("contract")
        used.deliver(taken(rig.sink()))
        used.close()
        used.close()

    def test_it_opens_while_the_other_side_is_down_and_asks_for_a_retry(
        self, rig: SinkRig, opened: OpenSink
    ) -> None:
        sink = rig.unreachable()
        if sink is None:  # it has no other side
            return
        delivery = opened(sink)
        with pytest.raises(SinkRetry) as down:
            delivery.deliver(taken(sink))
        assert down.value.reason
        delivered = taken(sink)[: down.value.delivered]
        assert not delivered or delivery.needs(delivered[0]), "what is not sent is delivered again"

    def test_a_courier_delivers_everything_and_stops(self, rig: SinkRig) -> None:
        sink = rig.sink()
        delivery = sink.open("contract")
        courier: Courier[Any] = Courier("contract", delivery, 0, sink.lossless)
        courier.start()
        courier.offer(
            [
                (number, item if isinstance(item, sink.takes) else None)
                for number, item in enumerate(ITEMS, 1)
            ]
        )
        assert courier.drain(20)
        needed = [number for number, item in enumerate(ITEMS, 1) if delivery.needs(item)]
        assert courier.cursor == min(needed, default=len(ITEMS) + 1) - 1
        counts = courier.counts
        assert counts.delivered == len(taken(sink))
        assert (counts.retried, counts.rejected, counts.dropped) == (0, 0, 0)
        assert rig.arrived(delivery)
        courier.stop(5)


def taken(sink: Sink, items: Sequence[Published] = ITEMS) -> list[Published]:
    """Those of the items that reach a sink: the types that it takes."""
    return [item for item in items if isinstance(item, sink.takes)]
