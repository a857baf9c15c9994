"""Puts metric data into CloudWatch, in as few calls as it accepts, and finds what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import msgspec
import structlog

from sinks.aws.client import call
from sinks.errors import SinkRejected

log = structlog.get_logger("driftline.sink")
MAX_DATA = 1_000
MAX_BYTES = 900_000
"""CloudWatch accepts 1 MB a call, which includes the other parameters of the request."""
LARGEST = 2.0**360
MAX_REFUSED = 100
"""The number of refused calls of a group of data after which the data of further refused calls are
left out together. One refused datum among 1,000 takes eleven refused calls to find.
"""
MAX_REFUSED_AT_FIRST = 15
"""The same while no call of the group was accepted: then each eighth of its data was refused, as
when CloudWatch does not accept their time.
"""


class Puts(msgspec.Struct):
    """Data that are being put together: their ``id``, and the calls that have no answer yet.

    ``accepted`` and ``refused`` count answered calls, ``left_out`` counts data; ``reason`` is that
    of the last refusal. A retry continues with the calls that are left.
    """

    id: str
    calls: list[list[dict[str, Any]]]
    left_out: int = 0
    accepted: int = 0
    refused: int = 0
    reason: str = ""

    @classmethod
    def of(cls, id_: str, metrics: Sequence[dict[str, Any]]) -> Puts:
        """Return the calls that put some data, without those that CloudWatch cannot hold.

        It cannot hold a value that is not finite or is beyond 2**360.
        """
        data = [datum for datum in metrics if _can_be_held(datum)]
        return cls(id_, list(batches(data)), len(metrics) - len(data))

    def put(self, aws: Any, namespace: str, index: int) -> None:
        """Call until all calls have an answer; ``aws`` is a CloudWatch client.

        Raises :class:`~sinks.errors.SinkRetry` for the item at ``index`` after a transient error.
        """
        while self.calls:
            arguments = {"Namespace": namespace, "MetricData": self.calls[0]}
            try:
                call(aws.put_metric_data, "ResponseMetadata", index, arguments)
            except SinkRejected as error:
                self._was_refused(error.reason)
            else:
                del self.calls[0]
                self.accepted += 1

    @property
    def _may_split(self) -> bool:
        """Whether the data of a refused call are put again in smaller calls."""
        return self.refused < (MAX_REFUSED if self.accepted else MAX_REFUSED_AT_FIRST)

    def _was_refused(self, reason: str) -> None:
        """Replace the first call by its halves, which are put last; or leave its data out."""
        data = self.calls.pop(0)
        self.refused += 1
        self.reason = reason
        if len(data) == 1 or not self._may_split:
            self.left_out += len(data)
        else:
            middle = len(data) // 2
            self.calls += [data[:middle], data[middle:]]


def log_left_out(sink: str, puts: Puts) -> None:
    """Log the data that CloudWatch does not accept, of ``puts`` that have all their answers."""
    if puts.left_out:
        log.warning(
            "metrics_left_out",
            sink=sink,
            report=puts.id,
            count=puts.left_out,
            reason=puts.reason or "values that are not finite or beyond 2**360",
        )


def batches(data: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Split data into calls of at most 1,000 data and less than 1 MB, in any protocol of AWS."""
    batch: list[dict[str, Any]] = []
    size = 0
    for datum in data:
        length = 2 * len(json.dumps(datum, default=str)) + 200
        if batch and (len(batch) == MAX_DATA or size + length > MAX_BYTES):
            yield batch
            batch = []
            size = 0
        batch.append(datum)
        size += length
    if batch:
        yield batch


def _can_be_held(datum: dict[str, Any]) -> bool:
    values = datum["StatisticValues"].values() if "StatisticValues" in datum else [datum["Value"]]
    return all(map(_fits, values))


def _fits(value: float) -> bool:
    return isfinite(value) and abs(value) <= LARGEST and (value == 0 or abs(value) >= 1 / LARGEST)
