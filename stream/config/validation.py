"""The first fault of a configuration against its types: the path of each key, what was expected,
what was found, valid names.

The conversion itself names neither the keys of a mapping nor the names that would have been right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

from stream.errors import ConfigError

_PLAIN: Final[dict[type[inspect.Type], tuple[type | tuple[type, ...], str]]] = {
    inspect.BoolType: (bool, "true or false"),
    inspect.IntType: (int, "a whole number"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.StrType: (str, "text"),
    inspect.NoneType: (type(None), "nothing"),
}
_BOUNDS: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_LONGEST_TOLD: Final = 80


def check(kind: inspect.Type, value: object, where: str = "", wanted: str = "") -> None:
    """Raise :class:`~stream.errors.ConfigError` for the first fault of ``value``, which stands at
    ``where`` in the file.

    ``wanted`` describes the value in words; without it the type does.
    """
    if isinstance(kind, inspect.Metadata):
        check(
            kind.type,
            value,
            where,
            wanted or str((kind.extra_json_schema or {}).get("description", "")),
        )
    elif isinstance(kind, inspect.UnionType):
        check(_member(kind, value, where), value, where, wanted)
    elif isinstance(kind, inspect.StructType):
        _check_struct(kind, value, where)
    elif isinstance(kind, inspect.DictType):
        _check_mapping(kind, value, where)
    elif isinstance(kind, inspect.ListType):
        _check_list(kind, value, where)
    elif isinstance(kind, inspect.LiteralType):
        if not any(value == one and type(value) is type(one) for one in kind.values):
            raise ConfigError(
                where, wanted or "a valid name", told(value), [str(one) for one in kind.values]
            )
    else:
        _check_plain(kind, value, where, wanted)


def _member(kind: inspect.UnionType, value: object, where: str) -> inspect.Type:
    """The member of a union that a value is meant for: by its tag, else by its shape, else the
    first.
    """
    bare = [one.type if isinstance(one, inspect.Metadata) else one for one in kind.types]
    tagged = {str(one.tag): one for one in bare if isinstance(one, inspect.StructType) and one.tag}
    if tagged and isinstance(value, Mapping):
        return _tagged(tagged, value, where)
    for one, whole in zip(bare, kind.types, strict=True):
        if isinstance(value, _shape(one)) and not (
            isinstance(value, bool) and not isinstance(one, inspect.BoolType)
        ):
            return whole
    return kind.types[0]


def _shape(kind: inspect.Type) -> type | tuple[type, ...]:
    if isinstance(kind, inspect.StructType | inspect.DictType):
        return dict
    if isinstance(kind, inspect.ListType):
        return list
    if isinstance(kind, inspect.LiteralType):
        return str
    return _PLAIN.get(type(kind), (object, ""))[0]


def _tagged(
    tagged: Mapping[str, inspect.StructType], value: Mapping[Any, object], where: str
) -> inspect.StructType:
    kind = value.get("type")
    if kind not in tagged:
        raise ConfigError(
            _at(where, "type"),
            "a known type",
            told(kind) if "type" in value else "none",
            sorted(tagged),
        )
    return tagged[str(kind)]


def _check_struct(kind: inspect.StructType, value: object, where: str) -> None:
    fields = {field.encode_name: field for field in kind.fields}
    valid = [*([kind.tag_field] if kind.tag_field else []), *fields]
    if not isinstance(value, Mapping):
        raise ConfigError(where or "the file", "a mapping", told(value), valid)
    for key in value:
        if key not in valid:
            raise ConfigError(_at(where, key), "a known key", repr(key), valid)
    for name, field in fields.items():
        if name in value:
            check(field.type, value[name], _at(where, name))
        elif field.required:
            raise ConfigError(_at(where, name), "a value", "none")


def _check_mapping(kind: inspect.DictType, value: object, where: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(where, "a mapping", told(value))
    if len(value) < (kind.min_length or 0):
        raise ConfigError(where, f"{kind.min_length} or more entries", str(len(value)))
    for key, item in value.items():
        if isinstance(kind.key_type, inspect.StrType) and not isinstance(key, str):
            raise ConfigError(
                _at(where, key), "a name (in quotes, if it looks like something else)", told(key)
            )
        check(kind.value_type, item, _at(where, key))


def _check_list(kind: inspect.ListType, value: object, where: str) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ConfigError(where, "a list", told(value))
    for k, item in enumerate(value):
        check(kind.item_type, item, f"{where}[{k}]")


def _check_time(value: object, where: str, wanted: str) -> None:
    try:
        zone = msgspec.convert(value, datetime).tzinfo
    except msgspec.ValidationError:
        zone = None
    if zone is None:
        raise ConfigError(
            where, wanted or "a time with its zone, like 2026-11-25T10:00:00Z", told(value)
        )


def _check_plain(kind: inspect.Type, value: object, where: str, wanted: str) -> None:
    if isinstance(kind, inspect.DateTimeType):
        _check_time(value, where, wanted)
    if type(kind) not in _PLAIN:
        return
    classes, name = _PLAIN[type(kind)]
    if not isinstance(value, classes) or (
        isinstance(value, bool) and not isinstance(kind, inspect.BoolType)
    ):
        raise ConfigError(where, wanted or name, told(value))
    for bound, sign in _BOUNDS.items():
        limit = getattr(kind, bound, None)
        if limit is not None and not _holds(value, sign, limit):
            raise ConfigError(where, f"{name} {sign} {limit}", told(value))
    if isinstance(kind, inspect.StrType) and isinstance(value, str):
        if kind.pattern and not re.search(kind.pattern, value):
            raise ConfigError(where, wanted or f"text like {kind.pattern}", told(value))
        if kind.max_length is not None and len(value) > kind.max_length:
            raise ConfigError(where, f"at most {kind.max_length} characters", str(len(value)))


def _holds(value: Any, sign: str, limit: float) -> bool:
    return bool(
        {">=": value >= limit, ">": value > limit, "<=": value <= limit, "<": value < limit}[sign]
    )


def told(value: object) -> str:
    """A value as an error tells it: short, and in the words of the file.

    >>> told(None), told({"a": 1}), told("sixty")
    ('nothing', 'a mapping', "'sixty'")
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."


def _at(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
