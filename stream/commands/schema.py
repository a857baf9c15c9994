"""The published JSON schemas: configuration, reports on data, periods and quality, signal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from detectors.quality_report import QUALITY_REPORT_VERSION, QualityReport
from detectors.report import REPORT_VERSION, SIGNAL_VERSION, Signal, WindowReport
from detectors.schedule_report import SCHEDULE_REPORT_VERSION, ScheduleReport
from stream.commands.descriptions import field_descriptions, summary
from stream.config.model import Config

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: Final[dict[str, tuple[type[msgspec.Struct], int]]] = {
    "report": (WindowReport, REPORT_VERSION),
    "signal": (Signal, SIGNAL_VERSION),
    "quality": (QualityReport, QUALITY_REPORT_VERSION),
    "schedule": (ScheduleReport, SCHEDULE_REPORT_VERSION),
}
"""The published documents with their versions, by name."""


def schema_of(document: str) -> dict[str, Any]:
    """Return the schema of ``config`` or of a published document, with a description of each key.

    Schemas of reports and signals carry their version: in the ``$id``, and as the only valid value
    of the field ``version``.

    >>> schema_of("signal")["$id"]
    'urn:driftline:signal:1'
    """
    if document == "config":
        return {"$schema": DIALECT, "$id": "urn:driftline:config", **_described(Config)}
    struct, version = PUBLISHED[document]
    schema = _described(struct)
    schema["$defs"][struct.__name__]["properties"]["version"] |= {"const": version}
    return {"$schema": DIALECT, "$id": f"urn:driftline:{document}:{version}", **schema}


def _described(root: type) -> dict[str, Any]:
    """The schema of a struct, with descriptions instead of docstrings."""
    schema: dict[str, Any] = msgspec.json.schema(root)
    for struct in structs_of(root):
        definition = schema["$defs"][definition_name(struct, schema)]
        definition["description"] = summary(struct)
        keys = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
        for name, description in field_descriptions(struct).items():
            if name in keys:
                definition["properties"][keys[name]]["description"] = description
    return schema


def definition_name(struct: type, schema: dict[str, Any]) -> str:
    """Return the name of a struct in ``$defs``, with its module if another struct shares it."""
    short = struct.__name__
    return short if short in schema["$defs"] else f"{struct.__module__}.{struct.__qualname__}"


def structs_of(root: type) -> list[type]:
    """Return a struct and all structs in the types of its fields, each once."""
    structs: dict[type, None] = {}
    waiting = [inspect.type_info(root)]
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, inspect.StructType):
            if kind.cls in structs:
                continue
            structs[kind.cls] = None
        waiting += _parts(kind)
    return list(structs)


def _parts(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The types that a type consists of."""
    match kind:
        case inspect.Metadata():
            yield kind.type
        case inspect.StructType():
            yield from (field.type for field in kind.fields)
        case inspect.UnionType():
            yield from kind.types
        case inspect.DictType():
            yield kind.value_type
        case inspect.ListType() | inspect.VarTupleType():
            yield kind.item_type
