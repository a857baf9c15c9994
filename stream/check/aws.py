"""Findings about AWS: the account of the credentials, and errors that all services share."""

from __future__ import annotations

from typing import Any

from sinks.aws.client import call
from sinks.aws.faults import fault_named
from sinks.errors import SinkRejected, SinkRetry
from stream.check.findings import Finding


def account_finding(subject: str, sts: Any, permission: str) -> Finding:
    """Return a finding with the account of the credentials.

    ``permission`` is the one that the component needs; it cannot be checked without using it.
    """
    try:
        account = call(sts.get_caller_identity, "Account", 0, {})["Account"]
    except (SinkRetry, SinkRejected) as error:
        unknown = Finding(subject, f"account unknown: {error.reason}", "warning", "Check again")
        return aws_finding(subject, error.reason) or unknown
    message = f"credentials of account {account}; {permission} cannot be checked without using it"
    return Finding(subject, message)


def aws_finding(subject: str, code: str) -> Finding | None:
    """Return the fault for an error that any AWS service may raise; ``None`` for other errors."""
    fault = fault_named(code)
    return Finding(subject, fault.problem, "fault", fault.advice) if fault else None
