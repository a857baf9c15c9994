"""Checks the values of a configuration against its types, and finds all faults in one run.

``msgspec.convert`` stops at the first fault, and names neither the keys of a mapping nor the valid
names. Constraints that this module does not handle are left to that conversion.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

from detectors.faults import nearest
from stream.config.faults import (
    key_path,
    mismatch,
    missing,
    quoted,
    unknown_key,
    unknown_name,
)
from stream.config.renamed_keys import former_meaning, renamed_key
from stream.errors import ConfigFault

_SCALARS: Final[dict[type[inspect.Type], tuple[type | tuple[type, ...], str]]] = {
    inspect.BoolType: (bool, "true or false"),
    inspect.IntType: (int, "a whole number"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.StrType: (str, "text"),
    inspect.NoneType: (type(None), "nothing"),
}
_BOUNDS: Final = (
    ("ge", ">=", operator.ge),
    ("gt", ">", operator.gt),
    ("le", "<=", operator.le),
    ("lt", "<", operator.lt),
)
"""The constraints of a number: the attribute of its type, the sign, and the comparison."""

Faults = Iterator[ConfigFault]


def type_faults(kind: inspect.Type, value: object, path: str = "", expected: str = "") -> Faults:
    """Yield all faults of the ``value`` at ``path`` against the type ``kind``.

    ``expected`` describes the value in words. Without it, the words of the type are used: the
    ``expected`` in the ``extra`` of its ``msgspec.Meta``, else the name of the plain type.
    """
    match kind:
        case inspect.Metadata():
            described = (kind.extra or {}).get("expected", "")
            yield from type_faults(kind.type, value, path, expected or described)
        case inspect.UnionType():
            yield from _union_faults(kind, value, path, expected)
        case inspect.StructType():
            yield from _struct_faults(kind, value, path)
        case inspect.DictType():
            yield from _mapping_faults(kind, value, path)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _list_faults(kind, value, path)
        case inspect.LiteralType():
            if not any(value == name and type(value) is type(name) for name in kind.values):
                yield unknown_name(path, "value", value, map(str, kind.values))
        case inspect.DateTimeType():
            yield from _time_faults(kind, value, path, expected)
        case _ if type(kind) in _SCALARS:
            yield from _scalar_faults(kind, value, path, expected)


def _union_faults(kind: inspect.UnionType, value: object, path: str, expected: str) -> Faults:
    """The faults against the member that the value is meant for: by its tag, else by its shape."""
    members = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
    if value is None and len(members) < len(kind.types):
        return
    by_tag = {str(bare.tag): bare for bare in map(_bare, members) if _has_tag(bare)}
    if by_tag and isinstance(value, Mapping):
        yield from _tagged_faults(by_tag, value, path)
        return
    fitting = [member for member in members if _has_shape(_bare(member), value)]
    if fitting or len(members) == 1:
        yield from type_faults((fitting or members)[0], value, path, expected)
        return
    shapes = " or ".join(dict.fromkeys(_shape(_bare(member)) for member in members))
    yield mismatch(path, expected or shapes, quoted(value))


def _bare(kind: inspect.Type) -> Any:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _has_tag(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType) and kind.tag is not None


def _has_shape(kind: inspect.Type, value: object) -> bool:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, Mapping)
        case inspect.ListType() | inspect.VarTupleType():
            return isinstance(value, list)
        case inspect.LiteralType():
            return isinstance(value, str)
        case _ if type(kind) in _SCALARS:
            return _is_scalar(kind, value)
        case _:
            return True


def _shape(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return "a mapping"
        case inspect.ListType() | inspect.VarTupleType():
            return "a list"
        case _:
            return _SCALARS.get(type(kind), ((), "text"))[1]


def _tagged_faults(
    by_tag: Mapping[str, inspect.StructType], value: Mapping[Any, object], path: str
) -> Faults:
    tag_path = key_path(path, "type")
    tag = value.get("type")
    if "type" not in value:
        yield missing(tag_path, sorted(by_tag))
    elif isinstance(tag, str) and tag in by_tag:
        yield from _struct_faults(by_tag[tag], value, path)
    else:
        yield unknown_name(tag_path, "type", tag, sorted(by_tag))


def _struct_faults(kind: inspect.StructType, value: object, path: str) -> Faults:
    """The faults of a mapping; a misspelt required key is not reported as missing as well."""
    fields = {field.encode_name: field for field in kind.fields}
    valid = [*([kind.tag_field] if kind.tag_field else []), *fields]
    if not isinstance(value, Mapping):
        reason = f"expected a mapping, found {quoted(value)}; its keys: {', '.join(valid)}"
        yield ConfigFault(path=path, reason=reason, expected="a mapping", valid=tuple(valid))
        return
    for key, item in value.items():
        key_at = key_path(path, key)
        if key in fields:
            faults = list(type_faults(fields[key].type, item, key_at))
            former = former_meaning(key_at, item) if faults else None
            yield from [former] if former else faults
        elif key not in valid:
            yield renamed_key(key_at, item) or unknown_key(key_at, key, valid)
    meant = {nearest(str(key), valid) for key in value if key not in valid}
    for name, field in fields.items():
        if field.required and name not in value and name not in meant:
            yield missing(key_path(path, name))


def _mapping_faults(kind: inspect.DictType, value: object, path: str) -> Faults:
    if not isinstance(value, Mapping):
        yield mismatch(path, "a mapping", quoted(value))
        return
    yield from _size_faults(kind, len(value), path, "entries")
    for key, item in value.items():
        key_at = key_path(path, key)
        if isinstance(_bare(kind.key_type), inspect.StrType) and not isinstance(key, str):
            expected = "a name (in quotes, if it looks like something else)"
            yield mismatch(key_at, expected, quoted(key))
        yield from type_faults(kind.value_type, item, key_at)


def _list_faults(kind: inspect.ListType | inspect.VarTupleType, value: object, path: str) -> Faults:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        yield mismatch(path, "a list", quoted(value))
        return
    yield from _size_faults(kind, len(value), path, "entries")
    for position, item in enumerate(value):
        yield from type_faults(kind.item_type, item, f"{path}[{position}]")


def _time_faults(kind: inspect.DateTimeType, value: object, path: str, expected: str) -> Faults:
    try:
        time = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        time = None
    if time is None or (kind.tz and time.tzinfo is None):
        wanted = "a time with its zone, like 2026-11-25T10:00:00Z"
        yield mismatch(path, expected or wanted, quoted(value))


def _scalar_faults(kind: inspect.Type, value: Any, path: str, expected: str) -> Faults:
    name = _SCALARS[type(kind)][1]
    if not _is_scalar(kind, value):
        bounds = _bounds(kind)
        wanted = expected or " and ".join([f"{name} {bounds[0]}" if bounds else name, *bounds[1:]])
        yield mismatch(path, wanted, quoted(value) + _yaml_hint(kind, value))
        return
    for bound, sign, holds in _BOUNDS:
        limit = getattr(kind, bound, None)
        if limit is not None and not holds(value, limit):
            yield mismatch(path, expected or f"{name} {sign} {limit}", quoted(value))
            return
    if isinstance(kind, inspect.StrType):
        if kind.pattern and not re.search(kind.pattern, value):
            yield mismatch(path, expected or f"text like {kind.pattern}", quoted(value))
        else:
            yield from _size_faults(kind, len(value), path, "characters")


def _is_scalar(kind: inspect.Type, value: object) -> bool:
    is_boolean = isinstance(value, bool)
    return isinstance(value, _SCALARS[type(kind)][0]) and (
        not is_boolean or isinstance(kind, inspect.BoolType)
    )


def _bounds(kind: inspect.Type) -> list[str]:
    limits = [(sign, getattr(kind, bound, None)) for bound, sign, _ in _BOUNDS]
    return [f"{sign} {limit}" for sign, limit in limits if limit is not None]


def _yaml_hint(kind: inspect.Type, value: object) -> str:
    """A hint for numbers without a point before their exponent, which are text in YAML."""
    exponent = isinstance(value, str) and re.fullmatch(r"([-+]?\d+)([eE][-+]?\d+)", value)
    if not exponent or not isinstance(kind, inspect.FloatType):
        return ""
    return f", which is text in YAML: write {exponent[1]}.0{exponent[2]}"


def _size_faults(kind: Any, size: int, path: str, unit: str) -> Faults:
    if kind.min_length is not None and size < kind.min_length:
        yield mismatch(path, f"{kind.min_length} or more {unit}", str(size))
    if kind.max_length is not None and size > kind.max_length:
        yield mismatch(path, f"at most {kind.max_length} {unit}", str(size))
