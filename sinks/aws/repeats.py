"""Data that CloudWatch has already, because they were put just before a crash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from sinks.aws.client import call
from sinks.aws.metric_data import Puts
from sinks.errors import SinkRejected, SinkRetry

log = structlog.get_logger("driftline.sink")


class Repeats:
    """Leaves out the calls after a start whose data CloudWatch has already.

    CloudWatch adds up data of one time, it knows no repeats. What is delivered again after a crash
    is delivered in its order. So the first data are looked up until some are not there: they and
    all later ones were never put. Needs the permission ``cloudwatch:GetMetricStatistics``; without
    it a repeat is put again.

    A datum that was put less than about two minutes ago may not be found yet.
    """

    def __init__(self, sink: str, namespace: str) -> None:
        self._sink = sink
        self._namespace = namespace
        self._is_over = False

    def leave_out(self, aws: Any, puts: Puts, index: int) -> None:
        """Remove the calls of ``puts`` whose last datum CloudWatch has.

        Raises :class:`~sinks.errors.SinkRetry` for the item at ``index`` after a transient error.
        """
        if self._is_over or not puts.calls:
            return
        try:
            left = [part for part in puts.calls if not self._is_known(aws, part[-1], index)]
        except SinkRejected as error:
            self._give_up(error.reason)
        except SinkRetry as error:
            if not error.permission:
                raise
            self._give_up(f"the permission {error.permission} is missing")
        else:
            self._is_over = bool(left)
            if len(left) < len(puts.calls):
                log.info("repeat_left_out", sink=self._sink, report=puts.id)
            puts.calls = left

    def _is_known(self, aws: Any, datum: dict[str, Any], index: int) -> bool:
        minute = datum["Timestamp"].replace(second=0, microsecond=0)
        arguments = {
            "Namespace": self._namespace,
            "MetricName": datum["MetricName"],
            "Dimensions": datum["Dimensions"],
            "StartTime": minute,
            "EndTime": minute + timedelta(minutes=1),
            "Period": 60,
            "Statistics": ["SampleCount"],
        }
        answer = call(aws.get_metric_statistics, "ResponseMetadata", index, arguments)
        return bool(answer.get("Datapoints"))

    def _give_up(self, reason: str) -> None:
        self._is_over = True
        log.info("repeats_not_looked_up", sink=self._sink, reason=reason)
