"""The AWS client with its time-outs, and the meaning of AWS errors for the items of a sink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
import urllib3.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from detectors.faults import Fault
from sinks.aws.faults import fault_named
from sinks.aws.permissions import missing_permission
from sinks.errors import ClientUnusable, SinkRejected, SinkRetry

CONNECT_S, READ_S = 5, 20
THROTTLED_S = 5.0
"""Shortest wait after AWS has throttled a request."""
THROTTLED_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
    }
)
PERMANENT_CODES = frozenset(
    {
        "InvalidParameter",
        "InvalidParameterCombination",
        "InvalidParameterCombinationException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "MissingParameter",
        "MissingRequiredParameterException",
        "RequestEntityTooLarge",
        "ValidationError",
        "ValidationException",
        "413",
    }
)

CLIENT_ERRORS: Final = (
    botocore.exceptions.ClientError,
    botocore.exceptions.BotoCoreError,
    ResponseParserError,
    urllib3.exceptions.HTTPError,
)
"""All errors that a call of the client library raises."""
DENIED_ERRORS: Final = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.ParamValidationError,
)
"""Those of them that are permanent."""


def new_session() -> boto3.Session:
    """Build a session of the AWS configuration. Raises :class:`~sinks.errors.ClientUnusable`."""
    try:
        return boto3.Session()
    except botocore.exceptions.BotoCoreError as error:
        raise _unusable(error, "") from error


def client(
    service: str,
    region: str,
    endpoint_url: str,
    read_s: int = READ_S,
    connections: int = 10,
    session: boto3.Session | None = None,
) -> Any:
    """Build a client that sends each request once: the caller retries.

    Empty text selects the library's default; so does ``None`` for the session. A truncated body
    raises ``IncompleteReadError``; the library alone would accept it as a success. Raises
    :class:`~sinks.errors.ClientUnusable` if these settings, or those of the environment, are
    invalid.
    """
    config = Config(
        connect_timeout=CONNECT_S,
        read_timeout=read_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        tcp_keepalive=True,
    )
    try:
        aws = (session or boto3.Session()).client(
            service, region_name=region or None, endpoint_url=endpoint_url or None, config=config
        )
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise _unusable(error, endpoint_url) from error
    aws.meta.events.register(f"before-parse.{service}", reject_truncated_body)
    return aws


def url_faults(endpoint_url: str) -> list[Fault]:
    """Return the fault of an address that the AWS client does not accept; empty text is accepted.

    >>> url_faults("127.0.0.1:5000")[0].message
    "'127.0.0.1:5000' is not a URL that the AWS client accepts, such as http://127.0.0.1:5000"
    """
    if "@" in endpoint_url.partition("://")[2].partition("/")[0]:
        message = "must not hold a name or a password: logs name it; use the AWS configuration"
        return [Fault("endpoint_url", message)]
    if not endpoint_url or _is_url(endpoint_url):
        return []
    example = "such as http://127.0.0.1:5000"
    message = f"{endpoint_url!r} is not a URL that the AWS client accepts, {example}"
    return [Fault("endpoint_url", message)]


def _is_url(endpoint_url: str) -> bool:
    """Whether the AWS client accepts an address; a malformed host or port raises inside of it."""
    try:
        urlsplit(endpoint_url).port  # noqa: B018  # raises if it is out of range
        valid = is_valid_endpoint_url(endpoint_url) or is_valid_ipv6_endpoint_url(endpoint_url)
        return bool(valid)
    except ValueError:
        return False


def _unusable(error: Exception, endpoint_url: str) -> ClientUnusable:
    if isinstance(error, botocore.exceptions.ProfileNotFound):
        return ClientUnusable(
            f"there is no AWS profile {error.kwargs['profile']!r}",
            "Correct AWS_PROFILE, or create that profile",
        )
    if isinstance(error, botocore.exceptions.InvalidRegionError):
        return ClientUnusable(
            f"{error.kwargs['region_name']!r} is not the name of a region",
            "Correct region, such as eu-central-1",
        )
    if fault := fault_named(type(error).__name__):
        return ClientUnusable(*fault)
    if faults := url_faults(endpoint_url):
        return ClientUnusable(
            str(faults[0]), "Correct endpoint_url, or leave it out for AWS itself"
        )
    return ClientUnusable(
        f"{type(error).__name__}: {error}", "Check region, endpoint_url and the AWS profile"
    )


def reject_truncated_body(operation_model: Any, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise ``IncompleteReadError`` if a body is shorter than its announced length.

    A hook of the client, which itself checks only streamed bodies.
    """
    headers = response_dict["headers"]
    announced = headers.get("content-length")
    streams = operation_model.has_event_stream_output or operation_model.has_streaming_output
    if (
        streams
        or operation_model.http.get("method") == "HEAD"
        or announced is None
        or headers.get("content-encoding")
    ):
        return
    received, expected = len(response_dict["body"]), int(announced)
    if received != expected:
        raise botocore.exceptions.IncompleteReadError(
            actual_bytes=received, expected_bytes=expected
        )


def meaning(code: str, text: str, index: int, permission: str = "") -> SinkRetry | SinkRejected:
    """Return the error to raise for the item at ``index``, from the error ``code`` of a service.

    All items before it were delivered. Only an invalid item is rejected. Refused or expired
    credentials and a missing topic can be repaired while the items wait; throttling and faults of
    the service are transient. A throttled item is sent again after 5 s at the earliest.
    ``permission`` is the one that the service says is missing.

    >>> meaning("InvalidParameterValue", "too long", 3)
    SinkRejected('item 3: too long')
    >>> meaning("ThrottlingException", "slow down", 3).after_s
    5.0
    """
    if code in PERMANENT_CODES:
        return SinkRejected(index, text)
    after_s = THROTTLED_S if code in THROTTLED_CODES else 0.0
    return SinkRetry(code or text, after_s, delivered=index, permission=permission)


def call(operation: Any, expected: str, index: int, arguments: Mapping[str, Any]) -> Any:
    """Call an operation for the item at ``index``.

    ``expected`` is a key that every complete response has: without it, a truncated response would
    look like a success. Raises ``SinkRejected`` or ``SinkRetry``, see :func:`meaning`.
    """
    try:
        response = operation(**arguments)
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        permission = missing_permission(operation, error)
        raise meaning(code, str(error), index, permission) from error
    except botocore.exceptions.ParamValidationError as error:
        raise SinkRejected(index, str(error)) from error
    except (botocore.exceptions.BotoCoreError, ResponseParserError) as error:
        raise SinkRetry(type(error).__name__, delivered=index) from error
    if expected not in response:
        raise SinkRetry(f"truncated response: it has no {expected}", delivered=index)
    return response
