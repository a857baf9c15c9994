"""Whose credentials are these? The one question that every account answers."""

from __future__ import annotations

from typing import Any, Final

from sinks.aws import call
from sinks.errors import SinkRejected, SinkRetry
from stream.doctor.findings import Finding

UNREACHED: Final = {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "SSLError"}
"""What the client library calls a way that does not lead to AWS; it says nothing about credentials."""


def who(where: str, sts: Any, needed: str) -> Finding:
    """The account behind the credentials; ``needed`` is the right that cannot be asked for without using it."""
    try:
        account = call(sts.get_caller_identity, "Account", 0, {})["Account"]
    except (SinkRetry, SinkRejected) as error:
        if error.reason in UNREACHED:
            return Finding(where, f"AWS does not answer: {error.reason}", "fault", "Check region, endpoint_url and the network")
        return Finding(where, f"credentials: {error.reason}", "fault", "Set AWS credentials, or give the machine a role")
    return Finding(where, f"credentials of account {account}; whether {needed} is allowed is not known before it is used")
