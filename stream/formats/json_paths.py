"""Values at fixed places in JSON documents: read by a type made for those places, which is several
times as fast as looking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from stream.formats.base import ColumnType

Parts = tuple[str, ...]

LEAF_TYPES: Final[dict[ColumnType, Any]] = {
    "int": int | float | None,
    "float": float | None,
    "text": str | None,
    "raw": str | None,
}


def dig(document: object, parts: Sequence[str]) -> object:
    """What lies at a path in nested objects; ``None`` where there is nothing.

    >>> dig({"a": {"b": 7}}, ["a", "b"])
    7
    """
    for part in parts:
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def find(row: Mapping[str, object], name: str, paths: Mapping[str, str]) -> object:
    """A column in an object: at its path if ``paths`` has one, else under its own name, else at its
    name read as a path.
    """
    if name in row and name not in paths:
        return row[name]
    return dig(row, paths.get(name, name).split("."))


def own_path(name: str, paths: Mapping[str, str]) -> Parts:
    """The only path that :func:`find` would try; none if there are two."""
    if name not in paths and "." in name:
        return ()
    return tuple(paths.get(name, name).split("."))


class PathReader:
    """Reads one value for each place from a document, in the order of the places.

    Where no type can be made (a place inside another one, a place twice, a place of no parts) every
    read fails.
    """

    def __init__(self, places: Sequence[Parts], types: Sequence[Any]) -> None:
        tree: dict[str, Any] = {}
        self._width = len(places)
        self._decoder: msgspec.json.Decoder[Any] | None = None
        if places and all(
            _plant(tree, parts, kind) for parts, kind in zip(places, types, strict=True)
        ):
            struct, names = _struct(tree)
            self._decoder = msgspec.json.Decoder(struct)
            self._values = attrgetter(*(names[parts] for parts in places))

    def read(self, value: bytes | str | None) -> Sequence[Any]:
        """The values, ``None`` where there is nothing.

        Raises ``ValueError`` or ``RecursionError`` if the document is no object or a value is not
        of its type; then nothing is said about what is wrong.
        """
        if self._decoder is None:
            raise ValueError("no type for these places")
        found: Any = self._values(self._decoder.decode(value))  # type: ignore[arg-type]
        return found if self._width > 1 else (found,)


def _plant(tree: dict[str, Any], parts: Parts, kind: Any) -> bool:
    for part in parts[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            return False
    if not parts or parts[-1] in tree:
        return False
    tree[parts[-1]] = kind
    return True


def _struct(tree: dict[str, Any]) -> tuple[type[msgspec.Struct], dict[Parts, str]]:
    """A struct type for a tree of types, and the dotted attribute of each leaf."""
    fields: list[tuple[str, Any, Any]] = []
    names: dict[Parts, str] = {}
    for k, (key, kind) in enumerate(tree.items()):
        attribute = f"f{k}"
        if isinstance(kind, dict):
            inner, below = _struct(kind)
            fields.append((attribute, inner, msgspec.field(name=key, default=inner())))
            names |= {(key, *parts): f"{attribute}.{name}" for parts, name in below.items()}
        else:
            fields.append((attribute, kind, msgspec.field(name=key, default=None)))
            names[key,] = attribute
    return msgspec.defstruct("Leaves", fields, frozen=True, gc=False), names
