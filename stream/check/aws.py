"""Whose credentials are these? The one question that every account answers."""

from __future__ import annotations

from typing import Any

from sinks.aws.client import call
from sinks.aws.faults import fault_named
from sinks.errors import SinkRejected, SinkRetry
from stream.check.findings import Finding


def who(where: str, sts: Any, needed: str) -> Finding:
    """The account behind the credentials; ``needed`` is the right that cannot be asked for without
    using it.
    """
    try:
        account = call(sts.get_caller_identity, "Account", 0, {})["Account"]
    except (SinkRetry, SinkRejected) as error:
        return aws_finding(where, error.reason) or Finding(
            where, f"account not known: {error.reason}", "warning", "Look again"
        )
    return Finding(
        where,
        f"credentials of account {account}; whether {needed} is allowed is not known before it is"
        " used",
    )


def aws_finding(where: str, code: str) -> Finding | None:
    """The fault that this error is for every service of AWS; ``None`` if it is a matter of the
    service that was asked.
    """
    known = fault_named(code)
    return Finding(where, known.what, "fault", known.advice) if known else None
