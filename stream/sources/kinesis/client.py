"""The client of Amazon Kinesis: time-outs, complete responses, and the meaning of each error.

Only this module uses the client library. It does not retry: the consequence of a failure depends on
the caller.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, NamedTuple, TypeVar

import botocore.exceptions
import structlog

from sinks.aws.client import CLIENT_ERRORS, DENIED_ERRORS, client
from sinks.aws.faults import fault_named
from sinks.errors import ClientUnusable
from sinks.throttle import Throttle
from stream.errors import SourceUnavailable

log = structlog.get_logger("driftline.kinesis")

READ_TIMEOUT_S: Final = 10
HOUR_MS: Final = 3_600_000
LOG_AGAIN_S: Final = 30.0
"""The shortest time between two log events about failures of the same kind."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 3.0
"""Pauses between two attempts at the start; each is twice as long as the one before."""

Response = TypeVar("Response")
FailureKind = Literal["throttled", "expired", "missing", "invalid", "denied", "transient"]
KIND_OF_CODE: Final[dict[str, FailureKind]] = {
    "ProvisionedThroughputExceededException": "throttled",
    "LimitExceededException": "throttled",
    "KMSThrottlingException": "throttled",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "RequestLimitExceeded": "throttled",
    "ExpiredIteratorException": "expired",
    "ResourceNotFoundException": "missing",
    "InvalidArgumentException": "invalid",
    "ValidationException": "invalid",
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "KMSAccessDeniedException": "denied",
    "InvalidClientTokenId": "denied",
    "InvalidSignatureException": "denied",
    "IncompleteSignature": "denied",
    "MissingAuthenticationToken": "denied",
    "MissingAuthenticationTokenException": "denied",
    "OptInRequired": "denied",
    "SubscriptionRequiredException": "denied",
    "UnrecognizedClientException": "denied",
}
"""The meaning of an error code of the service. All others are transient: failures of the service or
of the network, and credentials that are being renewed."""
PERMANENT_KINDS: Final = frozenset({"missing", "denied", "invalid"})
"""The failures at the start that are permanent."""


class KinesisError(Exception):
    """A failed call: the ``operation`` as IAM names it, the error ``code``, and its meaning."""

    def __init__(self, operation: str, code: str, kind: FailureKind, text: str) -> None:
        self.operation = operation
        self.code = code
        self.kind = kind
        super().__init__(text)


class StreamTarget(NamedTuple):
    """A stream: the arguments that name it in a call, and the label for messages.

    ``arguments`` is ``{"StreamName": ...}`` or ``{"StreamARN": ...}``.
    """

    arguments: dict[str, str]
    label: str


class StreamSummary(NamedTuple):
    """Properties of a stream; ``retention_ms`` is how long it keeps records."""

    name: str
    arn: str
    retention_ms: int


class KinesisClient:
    """Makes calls that either return a complete response or raise :class:`KinesisError`.

    The client library accepts a response that was truncated in transit as a success. Therefore each
    body is compared with its announced length (:func:`sinks.aws.client.reject_truncated_body`), and
    each response with the keys that a complete one has.

    With an empty ``region`` or ``endpoint_url`` the library's default is used; the target's label
    names the region. Threads may share a client.
    """

    def __init__(self, target: StreamTarget, region: str, endpoint_url: str, threads: int) -> None:
        self._lock = threading.Lock()
        self._throttle = Throttle(LOG_AGAIN_S)
        self._failing_since_s: float | None = None
        self._failure_logged = False
        try:
            self.boto = client("kinesis", region, endpoint_url, READ_TIMEOUT_S, threads + 2)
        except ClientUnusable as error:
            raise SourceUnavailable(target.label, [error.problem], error.advice) from error
        self.target = target._replace(label=f"{target.label} in {self.boto.meta.region_name}")

    def call(self, operation: str, expected: tuple[str, ...], **arguments: Any) -> dict[str, Any]:
        """Return the response of ``operation`` (``get_records``).

        ``expected`` are the keys that a complete response has. Raises :class:`KinesisError`.
        """
        name = str(self.boto.meta.method_to_api_mapping[operation])
        try:
            response: dict[str, Any] = getattr(self.boto, operation)(**arguments)
        except CLIENT_ERRORS as error:
            raise kinesis_error(name, error) from error
        if missing := [key for key in expected if key not in response]:
            raise incomplete(name, f"the response lacks {', '.join(missing)}: it was cut off")
        return response

    def events(
        self, operation: str, key: str, **arguments: Any
    ) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Yield the events under ``key`` of a streaming response, each with the response's time.

        Raises :class:`KinesisError`, possibly after some events.
        """
        name = str(self.boto.meta.method_to_api_mapping[operation])
        response = self.call(operation, (key,), **arguments)
        stream = response[key]
        began_ms = response_time_ms(response)
        try:
            for event in stream:
                yield event, began_ms
        except CLIENT_ERRORS as error:
            raise kinesis_error(name, error) from error
        finally:
            stream.close()

    def summary(self) -> StreamSummary:
        """Return the name, ARN and retention of the stream. Raises :class:`KinesisError`."""
        key = "StreamDescriptionSummary"
        summary = self.call("describe_stream_summary", (key,), **self.target.arguments)[key]
        return StreamSummary(
            name=str(summary["StreamName"]),
            arn=str(summary["StreamARN"]),
            retention_ms=int(summary["RetentionPeriodHours"]) * HOUR_MS,
        )

    def now_ms(self) -> int:
        """Return the time by this machine's clock or that of Kinesis, whichever is earlier.

        In whole seconds: Kinesis accepts no later time, and no finer one.
        """
        response = self.call("list_shards", ("Shards",), MaxResults=1, **self.target.arguments)
        kinesis_ms = response_time_ms(response)
        now_ms = int(time.time()) * 1000
        return now_ms if kinesis_ms is None else min(now_ms, kinesis_ms)

    def report_failure(self, failure: KinesisError) -> None:
        """Log a failed read, each kind at most twice a minute; expired iterators are not logged."""
        with self._lock:
            self._failing_since_s = self._failing_since_s or time.monotonic()
            if failure.kind == "expired":
                return
            if self._throttle.due(failure.kind):
                self._failure_logged = True
                _log_failure(self.target, failure)

    def report_success(self) -> None:
        """Log that reading works again, if its failure was logged."""
        if self._failing_since_s is None:
            return
        with self._lock:
            since_s = self._failing_since_s
            logged = self._failure_logged
            self._failing_since_s = None
            self._failure_logged = False
        if since_s is not None and logged:
            after_s = round(time.monotonic() - since_s, 1)
            log.warning("source_reachable", source=self.target.label, after_s=after_s)

    def close(self) -> None:
        """Release the connections; safe to call twice."""
        self.boto.close()


def _log_failure(target: StreamTarget, failure: KinesisError) -> None:
    details = {"source": target.label, "operation": failure.operation, "reason": failure.code}
    if failure.kind == "throttled":
        log.warning("source_throttled", **details)
    else:
        log.warning("source_unreachable", **details)


def response_time_ms(response: Mapping[str, Any]) -> int | None:
    """Return when Kinesis sent a response, by its clock, in whole seconds; None if unknown."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return None if date is None else 1000 * int(parsedate_to_datetime(date).timestamp())


def incomplete(operation: str, problem: str) -> KinesisError:
    """Return the error for a response of ``operation`` that was truncated in transit."""
    return KinesisError(operation, "Incomplete", "transient", f"{operation}: {problem}")


def kinesis_error(operation: str, error: Exception) -> KinesisError:
    """Return the :class:`KinesisError` for an exception of the client library."""
    if isinstance(error, botocore.exceptions.ClientError):
        details = error.response.get("Error", {})
        code = str(details.get("Code", "")) or "no code"
        message = " ".join(str(details.get("Message", "")).split())
        kind = KIND_OF_CODE.get(code, "transient")
        return KinesisError(operation, code, kind, f"{operation}: {code}: {message}")
    name = type(error).__name__
    permanent = isinstance(error, DENIED_ERRORS)
    return KinesisError(operation, name, "denied" if permanent else "transient", f"{name}: {error}")


def unavailable(
    target: StreamTarget, failure: KinesisError, tried_s: float | None = None
) -> SourceUnavailable:
    """Return the error that ends the program, with cause and advice.

    ``tried_s`` is for how long the call was repeated, ``None`` if it was not.
    """
    cause, advice = _cause_and_advice(failure, tried_s)
    transient = tried_s is not None and failure.kind not in PERMANENT_KINDS
    return SourceUnavailable(target.label, [cause], advice, transient)


def _cause_and_advice(failure: KinesisError, tried_s: float | None) -> tuple[str, str]:
    of_consumer = failure.operation == "DescribeStreamConsumer"
    if of_consumer and failure.kind in ("missing", "invalid"):
        return str(failure), (
            "Correct source.fan_out.consumer_arn, or set consumer_name: that consumer is registered"
            " at the start if it does not exist"
        )
    if failure.kind == "missing":
        cause = f"there is no such stream in this region and account ({failure.code})"
        return cause, (
            "Create the stream, or correct source.stream, source.stream_arn and source.region"
        )
    if failure.kind == "denied":
        return _denied(failure)
    if failure.kind == "invalid":
        return str(failure), "Correct source.stream or source.stream_arn"
    if tried_s is None:
        return str(failure), "It responded a moment ago: try again"
    return str(failure), (
        f"Tried for {tried_s:g} s (source.give_up_after); check source.region, source.endpoint_url"
        " and the network"
    )


def _denied(failure: KinesisError) -> tuple[str, str]:
    needed = (
        f"the permission kinesis:{failure.operation} on the stream; docs/kinesis.md has the whole"
        " policy"
    )
    known = fault_named(failure.code)
    if known is None:
        return str(failure), f"Give these credentials {needed}"
    return known.problem, f"{known.advice}. Needed is {needed}"


def call_with_retries(
    target: StreamTarget, give_up_after_s: float, call: Callable[[], Response]
) -> Response:
    """Return the result of ``call``, which is retried for ``give_up_after_s``.

    Raises :class:`SourceUnavailable`: immediately for a permanent error, else after that time. The
    first failure is logged.
    """
    deadline_s = time.monotonic() + give_up_after_s
    pause_s = FIRST_PAUSE_S
    logged = False
    while True:
        try:
            return call()
        except KinesisError as failure:
            left_s = deadline_s - time.monotonic()
            if failure.kind in PERMANENT_KINDS or left_s <= 0:
                tried_s = give_up_after_s if left_s <= 0 else None
                raise unavailable(target, failure, tried_s) from failure
            if not logged:
                log.warning(
                    "source_unreachable",
                    source=target.label,
                    operation=failure.operation,
                    reason=failure.code,
                    retry_for_s=round(left_s, 1),
                )
                logged = True
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 2, MAX_PAUSE_S)
