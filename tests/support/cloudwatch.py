"""A CloudWatch client whose requests get a response before they are sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse

from sinks.base import Sink

OK = (200, b"")
REFUSED = (400, b'{"__type": "InvalidParameterValueException", "message": "no"}')


class Wire:
    """A delivery, the arguments of its calls and the sizes of their bodies. Each call receives the
    first of ``responses``, or a success when none is left."""

    def __init__(self, sink: Sink, job: str = "job") -> None:
        delivery: Any = sink.open(job)
        self.delivery = delivery
        self.calls: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.held: list[str] = []
        """The names of the metrics of calls that succeeded."""
        self.responses: list[tuple[int, bytes]] = []
        self.refused: Callable[[str], bool] = lambda name: False
        """Calls that hold a metric of such a name are refused."""
        self.known: set[str] = set()
        """The names of the metrics that CloudWatch has a datum of, at any time."""
        self.looked_up: list[str] = []
        self.lookups: list[tuple[int, bytes]] = []
        """Responses to look-ups, before those by ``known``."""
        events = delivery._aws.meta.events
        events.register("provide-client-params.cloudwatch.GetMetricStatistics", self._look_up)
        events.register("before-send.cloudwatch.GetMetricStatistics", self._find)
        events.register("provide-client-params.cloudwatch.PutMetricData", self._record)
        events.register("before-send.cloudwatch.PutMetricData", self._respond)

    def _record(self, params: dict[str, Any], **_: Any) -> None:
        self.calls.append(params)

    def _respond(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        self.sizes.append(len(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
        names = [datum["MetricName"] for datum in self.calls[-1]["MetricData"]]
        given = REFUSED if any(map(self.refused, names)) else OK
        status, text = self.responses.pop(0) if self.responses else given
        if status == 200:
            self.held += names
        return PreparedResponse(request.url, status, text)

    def _look_up(self, params: dict[str, Any], **_: Any) -> None:
        self.looked_up.append(params["MetricName"])

    def _find(self, request: Any, **_: Any) -> AWSResponse:
        found = [{"Timestamp": 0, "SampleCount": 1.0}] if self.looked_up[-1] in self.known else []
        answer = (200, json.dumps({"Label": self.looked_up[-1], "Datapoints": found}).encode())
        status, text = self.lookups.pop(0) if self.lookups else answer
        return PreparedResponse(request.url, status, text)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [datum for call in self.calls for datum in call["MetricData"]]

    @property
    def names(self) -> list[str]:
        return [datum["MetricName"] for datum in self.data]


class PreparedResponse(AWSResponse):  # type: ignore[misc]  # botocore has no types
    """A response that the test prepared."""

    def __init__(self, url: str, status: int, text: bytes) -> None:
        super().__init__(url, status, {}, None)
        self._content = text
