"""The contract of every sink in ``sinks/``; a new sink adds its :class:`Rig` to get the suite."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import sinks
from detectors.components import find
from detectors.report import Signal, WindowReport
from sinks.base import Delivery, Published, Sink
from sinks.cloudwatch import Cloudwatch
from sinks.courier import Courier
from sinks.errors import SinkRetry
from sinks.jsonl import Jsonl
from sinks.prometheus import Prometheus, PrometheusDelivery
from sinks.sns import Sns
from tests.servers.base import free_port
from tests.servers.moto import REGION, MotoServer
from tests.support.reports import START_MS, report, signal, silence

ITEMS: list[Published] = [
    report(0),
    signal(0),
    report(1),
    report(1, 1),
    silence(2),
    silence(2, ended=True),
    signal(0, "recovered"),
]
STATISTICS = ["Average", "Minimum", "Maximum"]
"""Statistics that a repeat does not change; see the docstring of the sink."""


class Rig(Protocol):
    """A sink, a way to read what arrived on the other side, and the same sink with an unreachable
    other side."""

    def sink(self) -> Sink: ...

    def arrived(self, delivery: Any) -> list[str]:
        """One text for each thing that a reader sees, after readers have handled repeats as the
        sink's docstring asks."""

    def unreachable(self) -> Sink | None:
        """``None`` for a sink that has no other side."""


class JsonlRig:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sink(self) -> Jsonl:
        return Jsonl(path=str(self._folder / "reports"))

    def arrived(self, delivery: Any) -> list[str]:
        lines = [
            json.loads(line)
            for path in sorted((self._folder / "reports").iterdir())
            for line in path.read_bytes().splitlines()
        ]
        return list(dict.fromkeys(line["id"] for line in lines))

    def unreachable(self) -> Jsonl:
        (self._folder / "file").touch()
        return Jsonl(path=str(self._folder / "file" / "folder"))


class PrometheusRig:
    def sink(self) -> Prometheus:
        return Prometheus(per_feature=["mean"])

    def arrived(self, delivery: PrometheusDelivery) -> list[str]:
        registry = CollectorRegistry()
        registry.register(delivery)
        return [
            line
            for line in generate_latest(registry).decode().splitlines()
            if not line.startswith("#")
        ]

    def unreachable(self) -> None:
        return None


class CloudwatchRig:
    def __init__(self, moto: MotoServer) -> None:
        self._moto = moto

    def sink(self) -> Cloudwatch:
        return Cloudwatch(region=REGION, endpoint_url=self._moto.url)

    def arrived(self, delivery: Any) -> list[str]:
        aws, points = self._moto.cloudwatch, []
        for metric in aws.list_metrics()["Metrics"]:
            span = {
                "StartTime": datetime.fromtimestamp(START_MS / 1000, UTC),
                "EndTime": datetime.fromtimestamp(START_MS / 1000 + 600, UTC),
            }
            answer = aws.get_metric_statistics(**metric, **span, Period=60, Statistics=STATISTICS)
            for point in answer["Datapoints"]:
                numbers = [round(point[name], 9) for name in STATISTICS]
                points.append(f"{metric['MetricName']} {point['Timestamp']} {numbers}")
        return sorted(set(points))  # moto lists a metric once for each datum

    def unreachable(self) -> Cloudwatch:
        return Cloudwatch(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}")


class SnsRig:
    def __init__(self, moto: MotoServer) -> None:
        self._moto, self._seen = moto, dict[str, None]()
        self._topic, self._queue = moto.topic_with_queue("signals")

    def sink(self) -> Sns:
        return Sns(topic_arn=self._topic, endpoint_url=self._moto.url)

    def arrived(self, delivery: Any) -> list[str]:
        envelopes = [json.loads(message["Body"]) for message in self._moto.messages(self._queue)]
        self._seen |= dict.fromkeys(
            json.loads(envelope["Message"])["dedupe_id"] for envelope in envelopes
        )
        return list(self._seen)

    def unreachable(self) -> Sns:
        return Sns(topic_arn=self._topic, endpoint_url=f"http://127.0.0.1:{free_port()}")


MakeRig = Callable[[pytest.FixtureRequest], Rig]
RIGS: dict[str, MakeRig] = {
    "jsonl": lambda request: JsonlRig(request.getfixturevalue("tmp_path")),
    "prometheus": lambda request: PrometheusRig(),
    "cloudwatch": lambda request: CloudwatchRig(request.getfixturevalue("moto")),
    "sns": lambda request: SnsRig(request.getfixturevalue("moto")),
}
SINKS = find("sinks", Sink, "driftline.sinks")
NEEDS_MOTO = {"cloudwatch", "sns"}


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.moto] if name in NEEDS_MOTO else []) for name in RIGS
    ]
)
def rig(request: pytest.FixtureRequest) -> Rig:
    return RIGS[request.param](request)


@pytest.fixture
def opened() -> Iterator[Callable[[Sink], Delivery]]:
    deliveries: list[Delivery] = []

    def open_sink(sink: Sink) -> Delivery:
        deliveries.append(sink.open("contract"))
        return deliveries[-1]

    yield open_sink
    for delivery in deliveries:
        delivery.close()


Open = Callable[[Sink], Delivery]


def wanted(sink: Sink, items: list[Published]) -> list[Published]:
    return [item for item in items if isinstance(item, sink.takes)]


def test_every_sink_has_a_rig() -> None:
    assert SINKS.keys() == RIGS.keys()


@pytest.mark.parametrize("name", SINKS)
def test_the_type_in_the_configuration_is_the_name_of_the_file(name: str) -> None:
    kind = SINKS[name]
    assert msgspec.inspect.type_info(kind).tag == name  # type: ignore[attr-defined]
    assert Path(inspect.getfile(kind)).stem == name
    assert Path(inspect.getfile(kind)).parent == Path(inspect.getfile(sinks)).parent


@pytest.mark.parametrize("name", SINKS)
def test_the_docstring_says_what_a_repeat_does(name: str) -> None:
    text = inspect.getdoc(SINKS[name]) or ""
    assert "repeat" in text.lower()
    assert SINKS[name].__doc__ != Sink.__doc__


def test_a_sink_is_plain_frozen_data_that_refuses_unknown_keys(rig: Rig) -> None:
    sink = rig.sink()
    plain = msgspec.to_builtins(sink)
    assert msgspec.convert(plain, type(sink)) == sink
    assert sink.__struct_config__.frozen
    with pytest.raises(msgspec.ValidationError, match="no_such_key"):
        msgspec.convert({**plain, "no_such_key": 1}, type(sink))


def test_a_valid_sink_has_no_faults_and_is_checked_without_network(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = rig.sink()
    monkeypatch.setattr(
        socket.socket, "connect", lambda *_: pytest.fail("check() must not connect")
    )
    assert sink.check() == []


def test_items_arrive_on_the_other_side(rig: Rig, opened: Open) -> None:
    delivery = opened(rig.sink())
    delivery.rebuild([])
    before = rig.arrived(delivery) if not isinstance(rig, JsonlRig) else []
    delivery.deliver(wanted(rig.sink(), ITEMS))
    assert set(rig.arrived(delivery)) > set(before)


def test_a_repeat_shows_readers_nothing_new(rig: Rig, opened: Open) -> None:
    items = wanted(rig.sink(), ITEMS)
    first = opened(rig.sink())
    first.deliver(items)
    once = rig.arrived(first)
    first.deliver(items)
    assert rig.arrived(first) == once
    again = opened(rig.sink())
    again.rebuild([])
    again.deliver(items)
    assert rig.arrived(again) == once


def test_many_calls_have_the_same_result_as_one_call(rig: Rig, opened: Open) -> None:
    items = wanted(rig.sink(), ITEMS)
    delivery = opened(rig.sink())
    for item in items:
        delivery.deliver([item])
    one_by_one = rig.arrived(delivery)
    together = opened(rig.sink())
    together.deliver(items)
    assert rig.arrived(together) == one_by_one


def test_items_are_not_changed(rig: Rig, opened: Open) -> None:
    items = wanted(rig.sink(), ITEMS)
    before = [msgspec.json.encode(item) for item in items]
    opened(rig.sink()).deliver(items)
    assert [msgspec.json.encode(item) for item in items] == before


def test_an_empty_call_succeeds(rig: Rig, opened: Open) -> None:
    opened(rig.sink()).deliver([])


def test_close_is_safe_twice_and_before_the_first_delivery(rig: Rig) -> None:
    delivery = rig.sink().open("contract")
    delivery.close()
    delivery.close()
    delivery = rig.sink().open("contract")
    delivery.deliver(wanted(rig.sink(), ITEMS))
    delivery.close()
    delivery.close()


def test_a_sink_opens_while_the_other_side_is_down_and_asks_for_a_retry(
    rig: Rig, opened: Open
) -> None:
    sink = rig.unreachable()
    if sink is None:
        assert not sink_has_another_side(rig)
        return
    delivery = opened(sink)
    with pytest.raises(SinkRetry) as down:
        delivery.deliver(wanted(sink, ITEMS))
    assert down.value.reason
    assert down.value.delivered == 0


def sink_has_another_side(rig: Rig) -> bool:
    """Whether the configuration names an address or a path."""
    return bool({"path", "endpoint_url", "topic_arn"} & set(rig.sink().__struct_fields__))


def test_a_courier_delivers_everything_and_stops(rig: Rig) -> None:
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
    assert courier.cursor == len(ITEMS)
    assert courier.counts[:4] == (len(wanted(sink, ITEMS)), 0, 0, 0)
    assert rig.arrived(delivery)
    courier.stop(5)


def test_a_sink_that_keeps_or_passes_on_signals_is_lossless(rig: Rig) -> None:
    """Signals that others act on must not be dropped; gauges and metrics may drop their oldest."""
    sink = rig.sink()
    assert set(sink.takes) <= {WindowReport, Signal}
    assert sink.lossless == (Signal in sink.takes and not isinstance(sink, Prometheus))
