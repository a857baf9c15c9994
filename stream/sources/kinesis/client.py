"""The client of Amazon Kinesis as a source needs it: time-outs, answers that are whole, and what an
error means.

Only this module knows the client library. It retries nothing: what to do about a failure depends on
who asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, NamedTuple, TypeVar

import botocore.exceptions
import urllib3.exceptions
from botocore.parsers import ResponseParserError

from sinks.aws.client import client
from sinks.aws.faults import fault_named
from sinks.errors import ClientUnusable
from stream.errors import SourceUnavailable

log = logging.getLogger(__name__)

READ_S: Final = 10
HOUR_MS: Final = 3_600_000
SAME_LINE_S = 30.0
"""How often it is told again that Kinesis does not answer."""

Answered = TypeVar("Answered")
Kind = Literal["throttled", "expired", "missing", "invalid", "denied", "transient"]
KINDS: Final[dict[str, Kind]] = {
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
"""What an error of the service means by its code; all others pass (faults of the service, of the
way, keys that are renewed)."""
NEVER: Final = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.ParamValidationError,
)


class KinesisError(Exception):
    """A call that failed: ``operation`` as IAM names it, ``code``, and what the failure means
    (``kind``).
    """

    def __init__(self, operation: str, code: str, kind: Kind, text: str) -> None:
        self.operation, self.code, self.kind = operation, code, kind
        super().__init__(text)


class StreamTarget(NamedTuple):
    """The stream as calls name it (``{"StreamName": ...}`` or ``{"StreamARN": ...}``), and as
    people do.
    """

    names: dict[str, str]
    text: str


class StreamFacts(NamedTuple):
    """What a stream says of itself."""

    name: str
    arn: str
    kept_ms: int


class KinesisClient:
    """Calls that either give a whole answer or raise :class:`KinesisError`. Threads may share it.

    An answer that was cut off on its way looks like a success to the client library: each body is
    compared with its announced length (:func:`sinks.aws.client.reject_truncated_body`), and each answer
    with the keys that a whole one has.

    Empty ``region`` and ``endpoint_url`` mean the library's defaults; the target's text names the
    region.
    """

    def __init__(self, target: StreamTarget, region: str, endpoint_url: str, threads: int) -> None:
        self._lock, self._failing_since, self._told_s = threading.Lock(), 0.0, -SAME_LINE_S
        try:
            self.boto = client("kinesis", region, endpoint_url, READ_S, threads + 2)
        except ClientUnusable as error:
            raise SourceUnavailable(target.text, [error.what], error.advice) from error
        self.target = target._replace(text=f"{target.text} in {self.boto.meta.region_name}")

    def call(self, operation: str, expected: tuple[str, ...], **arguments: Any) -> dict[str, Any]:
        """Call ``operation`` (``get_records``); ``expected`` are the keys that a whole answer has.
        Raises :class:`KinesisError`.
        """
        name = str(self.boto.meta.method_to_api_mapping[operation])
        try:
            answer: dict[str, Any] = getattr(self.boto, operation)(**arguments)
        except FAILURES as error:
            raise trouble(name, error) from error
        if lacking := [key for key in expected if key not in answer]:
            raise KinesisError(
                name,
                "Incomplete",
                "transient",
                f"the answer to {name} lacks {', '.join(lacking)}: it was cut off on its way",
            )
        return answer

    def events(
        self, operation: str, key: str, **arguments: Any
    ) -> Iterator[tuple[dict[str, Any], int | None]]:
        """Call an operation that answers with a stream of events under ``key``; each comes with the
        time when the answer began.

        Raises :class:`KinesisError` at any event.
        """
        name = str(self.boto.meta.method_to_api_mapping[operation])
        answer = self.call(operation, (key,), **arguments)
        stream, began_ms = answer[key], answered_ms(answer)
        try:
            for event in stream:
                yield event, began_ms
        except FAILURES as error:
            raise trouble(name, error) from error
        finally:
            stream.close()

    def facts(self) -> StreamFacts:
        """Name and ARN of the stream, and how long it keeps records."""
        key = "StreamDescriptionSummary"
        summary = self.call("describe_stream_summary", (key,), **self.target.names)[key]
        return StreamFacts(
            str(summary["StreamName"]),
            str(summary["StreamARN"]),
            int(summary["RetentionPeriodHours"]) * HOUR_MS,
        )

    def now_ms(self) -> int:
        """The time by our clock or that of Kinesis, whichever is earlier, in whole seconds: it
        takes no finer ones and no later ones.
        """
        told_ms = answered_ms(
            self.call("list_shards", ("Shards",), MaxResults=1, **self.target.names)
        )
        now_ms = int(time.time()) * 1000
        return now_ms if told_ms is None else min(now_ms, told_ms)

    def fails(self, failure: KinesisError) -> None:
        """Tell in the log that Kinesis does not answer, at most twice a minute."""
        with self._lock:
            now = time.monotonic()
            self._failing_since = self._failing_since or now
            if failure.kind != "expired" and now - self._told_s >= SAME_LINE_S:
                self._told_s = now
                log.warning(
                    "%s: %s (%s); trying again", self.target.text, failure.operation, failure.code
                )

    def works(self) -> None:
        """Tell that it answers again, if its failing was told."""
        if self._failing_since:
            with self._lock:
                since, self._failing_since = self._failing_since, 0.0
            if since and self._told_s >= since:
                log.warning(
                    "%s answers again after %.1f s", self.target.text, time.monotonic() - since
                )

    def close(self) -> None:
        """Let go of the connections; safe to call twice."""
        self.boto.close()


FAILURES: Final = (
    botocore.exceptions.ClientError,
    botocore.exceptions.BotoCoreError,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
)


def answered_ms(answer: dict[str, Any]) -> int | None:
    """When an answer was given, by the clock of Kinesis, which tells whole seconds; None if it does
    not say.
    """
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return None if told is None else 1000 * int(parsedate_to_datetime(told).timestamp())


def trouble(operation: str, error: Exception) -> KinesisError:
    """What an exception of the client library means."""
    if isinstance(error, botocore.exceptions.ClientError):
        told = error.response.get("Error", {})
        code = str(told.get("Code", "")) or "no code"
        words = " ".join(str(told.get("Message", "")).split())
        return KinesisError(
            operation, code, KINDS.get(code, "transient"), f"{operation}: {code}: {words}"
        )
    kind: Kind = "denied" if isinstance(error, NEVER) else "transient"
    return KinesisError(operation, type(error).__name__, kind, f"{type(error).__name__}: {error}")


def unavailable(
    target: StreamTarget, failure: KinesisError, tried_s: float | None = None
) -> SourceUnavailable:
    """The error that ends the program: what failed, and what a person can do."""
    cause, advice = str(failure), "It answered a moment ago: try again"
    needed = (
        f"the permission kinesis:{failure.operation} on the stream; docs/kinesis.md has the whole"
        " policy"
    )
    if failure.kind in ("missing", "invalid") and failure.operation == "DescribeStreamConsumer":
        advice = (
            "Correct source.fan_out.consumer_arn, or give a consumer_name: it is registered at the"
            " start if it is not there"
        )
    elif failure.kind == "missing":
        cause = f"there is no such stream in this region and account ({failure.code})"
        advice = "Create the stream, or correct source.stream, source.stream_arn and source.region"
    elif failure.kind == "denied":
        known = fault_named(failure.code)
        cause, advice = (
            (known.what, f"{known.advice}. Needed is {needed}")
            if known
            else (cause, f"Give these credentials {needed}")
        )
    elif failure.kind == "invalid":
        advice = "Correct source.stream or source.stream_arn"
    elif tried_s is not None:
        advice = (
            f"Tried for {tried_s:g} s (source.give_up_after); check source.region,"
            " source.endpoint_url and the network"
        )
    transient = tried_s is not None and failure.kind in ("transient", "throttled", "expired")
    return SourceUnavailable(target.text, [cause], advice, transient)


def patiently(
    target: StreamTarget, give_up_after_s: float, ask: Callable[[], Answered]
) -> Answered:
    """``ask()`` again and again for ``give_up_after_s``; what no waiting heals ends it at once, as
    :class:`SourceUnavailable`.
    """
    deadline = time.monotonic() + give_up_after_s
    pause_s, told = 0.2, False
    while True:
        try:
            return ask()
        except KinesisError as failure:
            left_s = deadline - time.monotonic()
            if failure.kind in ("missing", "denied", "invalid") or left_s <= 0:
                raise unavailable(
                    target, failure, give_up_after_s if left_s <= 0 else None
                ) from failure
            if not told:
                log.warning(
                    "%s does not answer (%s); trying again for %.0f s",
                    target.text,
                    failure.code,
                    left_s,
                )
                told = True
        time.sleep(min(pause_s, max(left_s, 0.0)))
        pause_s = min(pause_s * 2, 3.0)
