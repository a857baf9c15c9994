"""Policies of AWS IAM: what an emulator can enforce of them, and a slow evaluation of the rest.

moto checks action and resource. It does not know the values of conditions, checks the topic of SNS
and the key of KMS nowhere, and has names of its own for two actions. So :func:`enforceable` leaves
out what it cannot check, and :func:`allows` decides on it from the requests that were made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Policy = Mapping[str, Any]

REGION = "eu-central-1"
"""The region of the policies in ``deploy/``."""
BATCHED = "sqs:DeleteMessage"
"""The action that AWS wants for batches, too; moto wants another one."""


class Use(NamedTuple):
    """A use of a permission: the action, the resource, and the values that conditions are on."""

    action: str
    resource: str
    context: Mapping[str, str] = {}


def without(policy: Policy, *sids: str) -> Policy:
    """A policy without some of its statements."""
    kept = [statement for statement in policy["Statement"] if statement["Sid"] not in sids]
    assert len(kept) == len(policy["Statement"]) - len(sids), f"not all of {sids} are statements"
    return {**policy, "Statement": kept}


def enforceable(policy: Policy) -> str:
    """The policy as moto can enforce it, in JSON."""
    statements = []
    for statement in policy["Statement"]:
        actions = [name for action in _list(statement["Action"]) for name in _of_moto(action)]
        of_topic = all(action.startswith("sns:") for action in actions)
        resource = "*" if of_topic else statement["Resource"]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": resource})
    return json.dumps({**policy, "Statement": statements})


def allows(policy: Policy, use: Use) -> bool:
    """Whether a statement allows a use; all statements must be permissions."""
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])
    return any(
        use.action in _list(statement["Action"])
        and any(_matches(pattern, use.resource) for pattern in _list(statement["Resource"]))
        and all(_holds(*test, use.context) for test in _tests(statement))
        for statement in policy["Statement"]
    )


def uses_of(service: str, operation: str, arguments: Mapping[str, Any]) -> list[Use]:
    """The uses of permissions by a request of the AWS client."""
    match service, operation:
        case "s3", "ListObjectsV2":
            where = {"s3:prefix": arguments["Prefix"]}
            return [Use("s3:ListBucket", f"arn:aws:s3:::{arguments['Bucket']}", where)]
        case "s3", ("GetObject" | "HeadObject" | "PutObject"):
            resource = f"arn:aws:s3:::{arguments['Bucket']}/{arguments['Key']}"
            key = arguments.get("SSEKMSKeyId")
            of_key = [Use("kms:GenerateDataKey", key)] if key else []
            action = operation.replace("Head", "Get")
            return [Use(f"s3:{action}", resource), *of_key]
        case "sqs", _:
            account, name = arguments["QueueUrl"].split("/")[-2:]
            queue = f"arn:aws:sqs:{REGION}:{account}:{name}"
            return [Use(f"sqs:{operation.removesuffix('Batch')}", queue)]
        case "sns", _:
            return [Use(f"sns:{operation}", arguments["TopicArn"])]
        case "cloudwatch", _:
            where = {"cloudwatch:namespace": arguments.get("Namespace", "")}
            return [Use(f"cloudwatch:{operation}", "*", where)]
    raise AssertionError(f"what does {service} {operation} need?")


def _of_moto(action: str) -> list[str]:
    batched = [f"{action}Batch"] if action == BATCHED else []
    return [action.replace("cloudwatch:", "monitoring:"), *batched]


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _tests(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            yield operator, key, _list(wanted)


def _holds(operator: str, key: str, wanted: list[str], context: Mapping[str, str]) -> bool:
    if key not in context:
        return False
    if operator == "StringEquals":
        return context[key] in wanted
    assert operator == "StringLike", operator
    return any(_matches(pattern, context[key]) for pattern in wanted)


def _matches(pattern: str, text: str) -> bool:
    parts = (".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
