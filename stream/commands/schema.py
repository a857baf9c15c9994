"""The published JSON schemas: configuration, window report, signal."""

from __future__ import annotations

from typing import Any

import msgspec

from detectors.report import REPORT_VERSION, SIGNAL_VERSION, Signal, WindowReport
from stream.commands.docstrings import plain
from stream.config.model import Config


def schema_of(what: str) -> dict[str, Any]:
    """The schema of ``config``, ``report`` or ``signal``. Reports and signals carry their version:
    in the ``$id``, and as the one value that their field ``version`` may have.

    >>> schema_of("signal")["$id"]
    'urn:driftline:signal:1'
    """
    kinds: dict[str, tuple[type, int | None]] = {
        "config": (Config, None), "report": (WindowReport, REPORT_VERSION), "signal": (Signal, SIGNAL_VERSION)
    }  # fmt: skip
    kind, version = kinds[what]
    schema: dict[str, Any] = _described(msgspec.json.schema(kind))
    if version is None:
        return schema
    schema["$defs"][kind.__name__]["properties"]["version"] = {"const": version}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:driftline:{what}:{version}",
        **schema,
    }


def _described(schema: Any) -> Any:
    """The schema with its descriptions, which are docstrings, as plain text."""
    if isinstance(schema, list):
        return [_described(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: plain(one) if key == "description" and isinstance(one, str) else _described(one)
        for key, one in schema.items()
    }
