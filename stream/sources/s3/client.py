"""The client of Amazon S3: single requests without retries, and the meaning of each error.

Only this module, :mod:`stream.sources.s3.direct` and :mod:`stream.sources.s3.queue` use a client
library.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeVar

import botocore.exceptions
import structlog

from sinks.aws.client import CLIENT_ERRORS, DENIED_ERRORS, client, new_session
from sinks.aws.faults import fault_named
from sinks.errors import ClientUnusable
from sinks.throttle import Throttle
from stream.errors import SourceUnavailable
from stream.sources.s3.direct import READ_TIMEOUT_S, Chunk, DirectReads
from stream.sources.s3.keys import located

log = structlog.get_logger("driftline.s3")

LOG_AGAIN_S: Final = 30.0
"""The shortest time between two log events about failures of the same kind."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 3.0
"""Pauses between two attempts at the start; each is twice as long as the one before."""

Response = TypeVar("Response")
FailureKind = Literal[
    "throttled", "denied", "no_bucket", "no_object", "changed", "archived", "refused", "transient"
]
KIND_OF_CODE: Final[dict[str, FailureKind]] = {
    "SlowDown": "throttled",
    "503": "throttled",
    "ServiceUnavailable": "throttled",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "RequestLimitExceeded": "throttled",
    "RequestThrottled": "throttled",
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "AllAccessDisabled": "denied",
    "403": "denied",
    "InvalidAccessKeyId": "denied",
    "InvalidClientTokenId": "denied",
    "SignatureDoesNotMatch": "denied",
    "PermanentRedirect": "denied",
    "AuthorizationHeaderMalformed": "denied",
    "301": "denied",
    "InvalidBucketName": "no_bucket",
    "NoSuchBucket": "no_bucket",
    "AWS.SimpleQueueService.NonExistentQueue": "no_bucket",
    "QueueDoesNotExist": "no_bucket",
    "NoSuchKey": "no_object",
    "404": "no_object",
    "PreconditionFailed": "changed",
    "412": "changed",
    "InvalidRange": "changed",
    "416": "changed",
    "InvalidObjectState": "archived",
    "KeyTooLongError": "refused",
}
"""The meaning of an error code. All others are transient: failures of the service or of the
network, and credentials that are being renewed."""
KEY_OF_CUSTOMER: Final = "The object was stored using a form of Server Side Encryption"
"""How S3 refuses an object that is encrypted with a key of the customer (SSE-C)."""
PERMANENT_KINDS: Final = frozenset({"denied", "no_bucket"})
"""The failures that no retry repairs."""
_REDIRECTS: Final = frozenset({"PermanentRedirect", "301", "AuthorizationHeaderMalformed"})


class S3Error(Exception):
    """A failed request: its ``operation`` and ``permission``, the error ``code``, its meaning."""

    def __init__(
        self, operation: str, permission: str, code: str, kind: FailureKind, text: str
    ) -> None:
        self.operation = operation
        self.permission = permission
        self.code = code
        self.kind = kind
        super().__init__(text)


class ObjectInfo(NamedTuple):
    """An object as a listing or a notice has it; the ETag is without its quotation marks."""

    key: str
    etag: str
    size: int
    modified_ms: int


class Page(NamedTuple):
    """A page of a listing; ``more``: another one follows."""

    objects: list[ObjectInfo]
    more: bool


class S3Client:
    """Sends single requests to one bucket. Threads may share it. Raises :class:`S3Error`."""

    def __init__(
        self, bucket: str, prefix: str, region: str, endpoint_url: str, threads: int
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.label = f"s3://{bucket}/{prefix}"
        self.trouble = ""
        self._lock = threading.Lock()
        self._throttle = Throttle(LOG_AGAIN_S)
        self._failing_since_s: float | None = None
        self._failure_logged = False
        try:
            session = new_session()
            self._boto = client(
                "s3", region, endpoint_url, READ_TIMEOUT_S, threads + 2, session=session
            )
        except ClientUnusable as error:
            raise SourceUnavailable(self.label, [error.problem], error.advice) from error
        self._direct = DirectReads(self._boto, session)

    def page(self, after: str, max_keys: int = 1000) -> Page:
        """Return the objects whose keys follow ``after``, in the order of their keys."""
        response = self._call(
            "list_objects_v2",
            ("ListObjectsV2", f"s3:ListBucket on arn:aws:s3:::{self.bucket}"),
            ("IsTruncated",),
            Bucket=self.bucket,
            Prefix=self.prefix,
            MaxKeys=max_keys,
            **({"StartAfter": after} if after else {}),
        )
        objects = [
            ObjectInfo(
                str(entry["Key"]),
                _bare(entry["ETag"]),
                int(entry["Size"]),
                _milliseconds(entry["LastModified"]),
            )
            for entry in response.get("Contents", ())
        ]
        return Page(objects, bool(response["IsTruncated"]))

    def read(self, key: str, start: int, length: int | None, etag: str) -> Chunk:
        """Return ``length`` bytes of an object from ``start`` on, ``None``: all of it.

        With an ``etag``, only if the object still has this one.
        """
        bucket, name = located(key, self.bucket)
        if chunk := self._direct.read(bucket, name, start, length, etag):
            return chunk
        conditions: dict[str, str] = {"IfMatch": f'"{etag}"'} if etag else {}
        if length is not None:
            conditions["Range"] = f"bytes={start}-{start + length - 1}"
        below = self.prefix if name == key else f"{name.rpartition('/')[0]}/"
        names = ("GetObject", f"s3:GetObject on arn:aws:s3:::{bucket}/{below}*")
        expected = ("Body", "ETag", "LastModified")
        response = self._call("get_object", names, expected, Bucket=bucket, Key=name, **conditions)
        try:
            data = bytes(response["Body"].read())
        except (*CLIENT_ERRORS, OSError) as error:
            raise s3_error(*names, error) from error
        self._direct.learn(bucket)
        _, _, size = str(response.get("ContentRange", "")).rpartition("/")
        return Chunk(
            data,
            _bare(response["ETag"]),
            int(size) if size.isdecimal() else len(data),
            _milliseconds(response["LastModified"]),
        )

    def report_failure(self, failure: S3Error) -> None:
        """Log a failed request, each kind at most twice a minute."""
        with self._lock:
            self._failing_since_s = self._failing_since_s or time.monotonic()
            self.trouble = f"{failure.operation}: {failure.code}"
            if not self._throttle.due(failure.kind):
                return
            self._failure_logged = True
        details = {"source": self.label, "operation": failure.operation, "reason": failure.code}
        if failure.kind == "throttled":
            log.warning("source_throttled", **details)
        else:
            log.warning("source_unreachable", **details)

    def report_success(self) -> None:
        """Log that reading works again, if its failure was logged."""
        if self._failing_since_s is None:
            return
        with self._lock:
            since_s, logged = self._failing_since_s, self._failure_logged
            self._failing_since_s = None
            self._failure_logged = False
            self.trouble = ""
        if since_s is not None and logged:
            after_s = round(time.monotonic() - since_s, 1)
            log.warning("source_reachable", source=self.label, after_s=after_s)

    def close(self) -> None:
        """Release the connections; safe to call twice."""
        self._boto.close()

    def _call(
        self, method: str, names: tuple[str, str], expected: tuple[str, ...], **arguments: Any
    ) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._boto, method)(**arguments)
        except CLIENT_ERRORS as error:
            raise s3_error(*names, error) from error
        if missing := [key for key in expected if key not in response]:
            text = f"{names[0]}: the response lacks {', '.join(missing)}: it was cut off"
            raise S3Error(*names, "Incomplete", "transient", text)
        return response


def s3_error(operation: str, permission: str, error: Exception) -> S3Error:
    """Return the :class:`S3Error` for an exception of the client library."""
    if isinstance(error, botocore.exceptions.ClientError):
        details = error.response.get("Error", {})
        code = str(details.get("Code", "")) or "no code"
        message = " ".join(str(details.get("Message", "")).split())
        kind = KIND_OF_CODE.get(code, "transient")
        if code == "InvalidRequest" and KEY_OF_CUSTOMER in message:
            kind = "refused"
        return S3Error(operation, permission, code, kind, f"{operation}: {code}: {message}")
    name = type(error).__name__
    permanent = isinstance(error, DENIED_ERRORS)
    kind = "denied" if permanent else "transient"
    return S3Error(operation, permission, name, kind, f"{name}: {error}")


def unavailable(label: str, failure: S3Error, tried_s: float | None = None) -> SourceUnavailable:
    """Return the error that ends the program, with cause and advice.

    ``tried_s`` is for how long the request was repeated, ``None`` if it was not.
    """
    if failure.kind == "no_bucket":
        of_queue = failure.operation.endswith("Message")
        what, keys = (
            ("queue", "source.notices.sqs_url") if of_queue else ("bucket", "source.bucket")
        )
        return SourceUnavailable(
            label,
            [f"there is no such {what} ({failure.code})"],
            f"Create the {what}, or correct {keys} and source.region",
        )
    if failure.code in _REDIRECTS:
        cause = f"the bucket is in another region ({failure.code})"
        return SourceUnavailable(label, [cause], "Set source.region to that of the bucket")
    if failure.kind == "denied":
        return SourceUnavailable(label, *_denied(failure))
    advice = "It responded a moment ago: try again"
    if tried_s is not None:
        advice = (
            f"Tried for {tried_s:g} s (source.give_up_after); check source.region,"
            " source.endpoint_url and the network"
        )
    return SourceUnavailable(label, [str(failure)], advice, tried_s is not None)


def _denied(failure: S3Error) -> tuple[list[str], str]:
    needed = f"the permission {failure.permission}; docs/s3-captures.md has the whole policy"
    if failure.operation == "GetObject":
        needed = needed.replace(";", " (and kms:Decrypt, if the bucket encrypts with a key);")
    known = fault_named(failure.code)
    if known is None:
        return [str(failure)], f"Give these credentials {needed}"
    return [known.problem], f"{known.advice}. Needed is {needed}"


def call_with_retries(
    s3: S3Client, give_up_after_s: float, call: Callable[[], Response]
) -> Response:
    """Return the result of ``call``, which is retried for ``give_up_after_s``.

    Raises ``SourceUnavailable``: immediately for a permanent error, else after that time. The
    failure is logged.
    """
    deadline_s = time.monotonic() + give_up_after_s
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            response = call()
        except S3Error as failure:
            left_s = deadline_s - time.monotonic()
            if failure.kind in PERMANENT_KINDS or left_s <= 0:
                tried_s = give_up_after_s if left_s <= 0 else None
                raise unavailable(s3.label, failure, tried_s) from failure
            s3.report_failure(failure)
        else:
            s3.report_success()
            return response
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 2, MAX_PAUSE_S)


def _bare(etag: object) -> str:
    return str(etag).strip('"')


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
