"""The contract of every sink in ``sinks/``; a new sink adds its rig to ``RIGS`` to get the suite.

The laws are in :mod:`stream.testing.sink`; what holds only for driftline's own sinks is here.
"""

from __future__ import annotations

import gzip
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import sinks
from detectors.components import find, type_of
from detectors.report import WindowReport
from sinks.base import Sink
from sinks.cloudwatch import Cloudwatch
from sinks.cloudwatch_quality import CloudwatchQuality
from sinks.jsonl import Jsonl
from sinks.prometheus import Prometheus, PrometheusDelivery
from sinks.s3 import S3
from sinks.sns import Sns
from stream.testing.reports import START_MS
from stream.testing.sink import SinkContract, SinkRig
from tests.servers.base import free_port
from tests.servers.moto import REGION, MotoServer

STATISTICS = ["Average", "Minimum", "Maximum"]
"""Statistics that a repeat does not change; see the docstring of the sink."""


class JsonlRig:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sink(self) -> Jsonl:
        return Jsonl(path=str(self._folder / "reports"))

    def arrived(self, delivery: Any) -> list[str]:
        lines = [
            json.loads(line)
            for path in sorted((self._folder / "reports").glob("*"))
            for line in path.read_bytes().splitlines()
        ]
        return list(dict.fromkeys(line["id"] for line in lines))

    def unreachable(self) -> Jsonl:
        (self._folder / "file").touch()
        return Jsonl(path=str(self._folder / "file" / "folder"))


class PrometheusRig:
    def sink(self) -> Prometheus:
        return Prometheus(per_feature=("mean",))

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

    def sink(self) -> Sink:
        return Cloudwatch(region=REGION, endpoint_url=self._moto.url)

    seconds: ClassVar = 600
    """The span in which data arrive, from the start of the first window."""

    def arrived(self, delivery: Any) -> list[str]:
        aws, points = self._moto.cloudwatch, []
        for metric in aws.list_metrics()["Metrics"]:
            span = {
                "StartTime": datetime.fromtimestamp(START_MS / 1000, UTC),
                "EndTime": datetime.fromtimestamp(START_MS / 1000 + self.seconds, UTC),
            }
            answer = aws.get_metric_statistics(**metric, **span, Period=60, Statistics=STATISTICS)
            for point in answer["Datapoints"]:
                numbers = [round(point[name], 9) for name in STATISTICS]
                points.append(f"{metric['MetricName']} {point['Timestamp']} {numbers}")
        return sorted(set(points))  # moto lists a metric once for each datum

    def unreachable(self) -> Sink:
        return Cloudwatch(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}")


class CloudwatchScheduleRig(CloudwatchRig):
    seconds: ClassVar = 5 * 3_600

    def sink(self) -> Sink:
        return Cloudwatch(region=REGION, endpoint_url=self._moto.url, layout="sagemaker")

    def unreachable(self) -> Sink:
        closed = f"http://127.0.0.1:{free_port()}"
        return Cloudwatch(region=REGION, endpoint_url=closed, layout="sagemaker")


class CloudwatchQualityRig(CloudwatchRig):
    """A schedule of a minute, so that the reports on later windows end that of the first one."""

    def sink(self) -> Sink:
        return self._sink(self._moto.url)

    def unreachable(self) -> Sink:
        return self._sink(f"http://127.0.0.1:{free_port()}")

    def _sink(self, url: str) -> Sink:
        return CloudwatchQuality(region=REGION, endpoint_url=url, schedule="1m", after="1m")


class SnsRig:
    def __init__(self, moto: MotoServer) -> None:
        self._moto = moto
        self._seen = dict[str, None]()
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


class S3Rig:
    def __init__(self, moto: MotoServer) -> None:
        self._s3 = moto.client("s3")
        self._s3.create_bucket(Bucket="reports")
        self._url = moto.url

    def sink(self) -> S3:
        return self._sink(self._url)

    def unreachable(self) -> S3:
        return self._sink(f"http://127.0.0.1:{free_port()}")

    def arrived(self, delivery: Any) -> list[str]:
        """The files of runs with their content, and each line once."""
        seen = dict[str, None]()
        for found in self._s3.list_objects_v2(Bucket="reports").get("Contents", []):
            body = self._s3.get_object(Bucket="reports", Key=found["Key"])["Body"].read()
            if found["Key"].endswith(".gz"):
                seen |= dict.fromkeys(gzip.decompress(body).decode().splitlines())
            else:
                seen[f"{found['Key']} {body.decode()}"] = None
        return sorted(seen)

    def _sink(self, url: str) -> S3:
        return S3(
            bucket="reports",
            prefix="monitor",
            layout="sagemaker",
            schedule="1h",
            region=REGION,
            endpoint_url=url,
        )


MakeRig = Callable[[pytest.FixtureRequest], SinkRig]
RIGS: dict[str, MakeRig] = {
    "jsonl": lambda request: JsonlRig(request.getfixturevalue("tmp_path")),
    "prometheus": lambda request: PrometheusRig(),
    "cloudwatch": lambda request: CloudwatchRig(request.getfixturevalue("moto")),
    "cloudwatch_quality": lambda request: CloudwatchQualityRig(request.getfixturevalue("moto")),
    "cloudwatch by schedule": lambda request: CloudwatchScheduleRig(
        request.getfixturevalue("moto")
    ),
    "s3": lambda request: S3Rig(request.getfixturevalue("moto")),
    "sns": lambda request: SnsRig(request.getfixturevalue("moto")),
}
SINKS = find("sinks", Sink, "driftline.sinks")
NEEDS_MOTO = {"cloudwatch", "cloudwatch_quality", "cloudwatch by schedule", "s3", "sns"}


def test_every_sink_has_a_rig() -> None:
    assert SINKS.keys() == {name.split()[0] for name in RIGS}


@pytest.mark.parametrize("name", SINKS)
def test_the_type_in_the_configuration_is_the_name_of_the_file(name: str) -> None:
    kind = SINKS[name]
    assert Path(inspect.getfile(kind)).stem == name
    assert Path(inspect.getfile(kind)).parent == Path(inspect.getfile(sinks)).parent


class TestSinks(SinkContract):
    @pytest.fixture(
        params=[
            pytest.param(name, marks=[pytest.mark.moto] if name in NEEDS_MOTO else [])
            for name in RIGS
        ]
    )
    def rig(self, request: pytest.FixtureRequest) -> SinkRig:
        return RIGS[request.param](request)

    def test_the_rig_is_that_of_the_named_sink(
        self, rig: SinkRig, request: pytest.FixtureRequest
    ) -> None:
        assert type_of(rig.sink()) in request.node.name

    def test_only_a_sink_without_an_address_has_no_other_side(self, rig: SinkRig) -> None:
        addresses = {"path", "endpoint_url", "topic_arn"} & set(rig.sink().__struct_fields__)
        assert bool(addresses) == (rig.unreachable() is not None)

    def test_a_sink_that_keeps_passes_on_or_merges_items_is_lossless(self, rig: SinkRig) -> None:
        """Signals must not be dropped, since others act on them, nor windows that are merged, nor
        periods; figures of single windows may drop their oldest."""
        sink = rig.sink()
        by_window = isinstance(sink, Prometheus | Cloudwatch) and WindowReport in sink.takes
        assert sink.lossless == (not by_window)


@pytest.mark.parametrize("sink", [Cloudwatch, Jsonl, Prometheus, S3, Sns])
def test_the_description_of_a_sink_says_what_a_repeat_does(sink: type[Sink]) -> None:
    assert "A repeat" in (sink.__doc__ or "")
