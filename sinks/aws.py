"""What the AWS sinks share: a client with time-outs of its own, and what an error means for the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from sinks.errors import SinkRetry

CONNECT_S, READ_S = 5, 20
THROTTLED = frozenset({"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"})
NEVER = frozenset({"InvalidParameterValue", "InvalidParameter", "InvalidParameterCombination", "ValidationError", "InvalidParameterValueException"})


def client(service: str, region: str, endpoint_url: str) -> Any:
    """A client that tries once: retries, back-off and their counting belong to the courier. Empty text means the default."""
    config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region or None, endpoint_url=endpoint_url or None, config=config)


def never(code: str) -> bool:
    """True if an error with this code means that the items themselves can never be taken."""
    return code in NEVER


def call(operation: Any, expected: str, arguments: Mapping[str, Any]) -> Any:
    """Call an operation; everything that may pass becomes ``SinkRetry``, ``ClientError`` of the other kind goes through.

    ``expected`` is a key that a whole answer has: an answer that was cut off on its way looks like a success without it.
    Refused credentials are retried too: they are renewed or repaired while the items wait.
    """
    try:
        answer = operation(**arguments)
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if never(code):
            raise
        raise SinkRetry(code or str(error), after_s=5.0 if code in THROTTLED else 0.0) from error
    except botocore.exceptions.BotoCoreError as error:
        raise SinkRetry(type(error).__name__) from error
    if expected not in answer:
        raise SinkRetry(f"the answer has no {expected}: it was cut off")
    return answer
