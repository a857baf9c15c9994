"""Reads values at fixed paths in JSON documents.

They are decoded by a type that is made for these paths, which is several times as fast as looking
them up in a decoded document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

Path = tuple[str, ...]
"""Keys of nested objects, from the outermost on."""

LEAF_TYPES: Final[Mapping[str, Any]] = {
    "int": int | float | None,
    "float": float | None,
    "text": str | None,
    "raw": str | None,
}
"""The usual type of a cell, by the kind of its column."""


_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
"""What JSON escapes in a key, and half of a surrogate pair: no field of a type has such a name."""


def value_at(document: object, path: Sequence[str]) -> object:
    """Return the value at a path in nested objects; ``None`` if there is none.

    >>> value_at({"a": {"b": 7}}, ["a", "b"])
    7
    """
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def find_column(row: Mapping[str, object], name: str, paths: Mapping[str, str]) -> object:
    """Return the value of a column in an object; ``None`` if there is none.

    It is at the column's path in ``paths``; without such a path it is under the column's name, or
    else at the name as a dotted path.
    """
    if name in row and name not in paths:
        return row[name]
    return value_at(row, paths.get(name, name).split("."))


def has_column(row: Mapping[str, object], name: str, paths: Mapping[str, str]) -> bool:
    """Return whether :func:`find_column` finds a value or ``null`` for a column.

    >>> has_column({"a": {"b": None}}, "a.b", {}), has_column({"a": 1}, "a.b", {})
    (True, False)
    """
    if name in row and name not in paths:
        return True
    *outer, last = paths.get(name, name).split(".")
    holder = value_at(row, outer)
    return isinstance(holder, dict) and last in holder


def unique_path(name: str, paths: Mapping[str, str]) -> Path:
    """Return the only path that :func:`find_column` would try; empty if there are two."""
    if name not in paths and "." in name:
        return ()
    return tuple(paths.get(name, name).split("."))


class PathReader:
    """Reads the values at some paths of documents, by a type that is made for these paths.

    Where no type can be made (a path inside another one, a path twice, an empty path, a key with a
    quote, a backslash or a control character) it is not ``usable``, and every read fails.
    """

    def __init__(self, paths: Sequence[Path], types: Sequence[Any]) -> None:
        tree: dict[str, Any] = {}
        fits = [_insert(tree, path, kind) for path, kind in zip(paths, types, strict=True)]
        self.usable = bool(paths) and all(fits)
        if self.usable:
            struct, attributes = _struct(tree)
            self._decode = msgspec.json.Decoder(struct).decode
            self._nothing = struct()
            self._getters = [attrgetter(attributes[path]) for path in paths]

    def read(self, values: Sequence[bytes | str | None]) -> Documents:
        """Decode documents; those fail that are no object, or have a value of another type."""
        if not self.usable:
            return Documents([], list(range(len(values))), [])
        decode = self._decode
        with suppress(ValueError, TypeError, RecursionError):
            return Documents([decode(value) for value in values], [], self._getters)  # type: ignore[arg-type]  # a tombstone raises
        decoded: list[Any] = []
        failed: list[int] = []
        for k, value in enumerate(values):
            try:
                decoded.append(decode(value))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                failed.append(k)
                decoded.append(self._nothing)
        return Documents(decoded, failed, self._getters)


class Documents(NamedTuple):
    """Decoded documents, and the indices of those that could not be decoded.

    ``getters`` has a function for each path of the reader; none if all documents failed for lack of
    a type. ``loaded`` are documents that failed, parsed in full, by index.
    """

    decoded: list[Any]
    failed: list[int]
    getters: Sequence[Callable[[Any], Any]]
    loaded: Mapping[int, dict[str, object]] = MappingProxyType({})

    def values(self, k: int) -> list[Any]:
        """Return the value of each document at path ``k``, ``None`` where there is none."""
        return list(map(self.getters[k], self.decoded))

    def empty(self) -> list[int]:
        """Return the indices of the documents without any value, those that failed included."""
        if any(None not in map(getter, self.decoded) for getter in self.getters):
            return []
        return [
            k
            for k, document in enumerate(self.decoded)
            if all(getter(document) is None for getter in self.getters)
        ]

    def take(self, indices: Sequence[int]) -> Documents:
        """Return some of the documents, in the order of the indices."""
        known = set(self.failed)
        failed = [k for k, i in enumerate(indices) if i in known] if known else []
        decoded = [self.decoded[i] for i in indices] if self.decoded else []
        loaded = {k: self.loaded[indices[k]] for k in failed if indices[k] in self.loaded}
        return Documents(decoded, failed, self.getters, loaded)


def _insert(tree: dict[str, Any], path: Path, kind: Any) -> bool:
    """Insert a type into a tree of types; return false if the path does not fit."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            return False
    if not path or path[-1] in tree or any(map(_ESCAPED.search, path)):
        return False
    tree[path[-1]] = kind
    return True


def _struct(tree: dict[str, Any]) -> tuple[type[msgspec.Struct], dict[Path, str]]:
    """Return a struct type for a tree of types, and the dotted attribute of each leaf."""
    fields: list[tuple[str, Any, Any]] = []
    attributes: dict[Path, str] = {}
    for k, (key, kind) in enumerate(tree.items()):
        attribute = f"f{k}"
        if isinstance(kind, dict):
            inner, below = _struct(kind)
            fields.append((attribute, inner, msgspec.field(name=key, default=inner())))
            attributes |= {(key, *path): f"{attribute}.{name}" for path, name in below.items()}
        else:
            fields.append((attribute, kind, msgspec.field(name=key, default=None)))
            attributes[key,] = attribute
    return msgspec.defstruct("Leaves", fields, frozen=True, gc=False), attributes
