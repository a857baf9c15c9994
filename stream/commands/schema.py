"""The published JSON schemas: configuration, window report, signal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import inspect

from detectors.report import REPORT_VERSION, SIGNAL_VERSION, Signal, WindowReport
from stream.commands.descriptions import field_descriptions, summary
from stream.config.model import Config

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(what: str) -> dict[str, Any]:
    """Return the schema of ``config``, ``report`` or ``signal``, with a description of each key.

    Reports and signals carry their version: in the ``$id``, and as the one value that their field
    ``version`` may have.

    >>> schema_of("signal")["$id"]
    'urn:driftline:signal:1'
    """
    if what == "config":
        return {"$schema": DIALECT, "$id": "urn:driftline:config", **_described(Config)}
    struct, version = (
        (WindowReport, REPORT_VERSION) if what == "report" else (Signal, SIGNAL_VERSION)
    )
    schema = _described(struct)
    schema["$defs"][struct.__name__]["properties"]["version"] |= {"const": version}
    return {"$schema": DIALECT, "$id": f"urn:driftline:{what}:{version}", **schema}


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
    """Return the name of a struct in ``$defs``: two of one name have their modules before it."""
    short = struct.__name__
    return short if short in schema["$defs"] else f"{struct.__module__}.{struct.__qualname__}"


def structs_of(root: type) -> list[type]:
    """Return all structs that a struct is made of, itself first, each once."""
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
    """The types that a type is made of."""
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
