"""Turns what a script returns for a record into rows of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

_SIMPLE: Final = frozenset((str, int, float, bool, type(None)))
_MISSING: Final = ("NAType", "NaTType")
"""The types of missing values of pandas."""
_encode: Final = msgspec.msgpack.Encoder().encode


class UnusableResult(Exception):
    """A result that is no row: ``reason`` and ``detail`` of the dead letter."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


class Rows:
    """The rows of a model whose columns are under some ``keys``.

    A dict is matched by its keys: one that has any of them is read by name, and a column that it
    lacks is missing. Otherwise its values are read by position, in the order of its keys as text.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._known = frozenset(keys)

    def of(self, result: Any) -> list[list[Any]]:
        """Return the rows of a result, none for ``[]``; raises :class:`UnusableResult`."""
        if type(result) is dict and result:
            return [self._row(result)]
        if isinstance(result, dict) and result:
            return [self._row(dict(result))]
        if isinstance(result, (list, tuple)):
            if all(isinstance(entry, dict) and entry for entry in result):
                return [self._row(dict(entry)) for entry in result]
            raise UnusableResult("script_result", "a list of other things than dicts")
        found = "an empty dict" if isinstance(result, dict) else f"{_type_name(result)}"
        raise UnusableResult("script_result", f"{found}, not a dict, a list of dicts or []")

    def _row(self, result: dict[Any, Any]) -> list[Any]:
        if self._known.isdisjoint(result):
            result = {str(key): value for key, value in result.items()}
            if self._known.isdisjoint(result):
                return self._by_position(result)
        return list(map(result.get, self._keys))

    def _by_position(self, result: dict[str, Any]) -> list[Any]:
        expected = len(self._keys)
        if len(result) != expected:
            reason = "too_few_columns" if len(result) < expected else "too_many_columns"
            raise UnusableResult(
                reason, f"the script returned {len(result)} keys, the model has {expected} columns"
            )
        return [result[key] for key in sorted(result)]


def sendable(rows: Sequence[list[Any]]) -> bool:
    """Return whether all cells can be sent as they are."""
    types: set[type] = set()
    for row in rows:
        types.update(map(type, row))
    if not types <= _SIMPLE:
        return False
    try:
        _encode(rows)
    except (OverflowError, UnicodeError):
        return False
    return True


def plain_row(row: list[Any], keys: Sequence[str]) -> list[Any]:
    """Return a row whose cells can be sent; raises :class:`UnusableResult`."""
    return [_plain(cell, key) for cell, key in zip(row, keys, strict=True)]


def _plain(cell: Any, key: str) -> Any:
    """Return a cell as text, number, true, false or ``None``."""
    if type(cell).__module__ == "numpy" and getattr(cell, "ndim", None) == 0:
        cell = cell.item()
    if cell is None or type(cell).__name__ in _MISSING:
        return None
    if isinstance(cell, (bool, float)):
        return cell if type(cell) in _SIMPLE else float(cell)
    if isinstance(cell, int):
        return int(cell) if -(2**63) <= cell < 2**63 else str(int(cell))
    if isinstance(cell, str):
        text = str(cell)
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise UnusableResult("script_result", f"the text of {key!r:.40} is no valid Unicode")
        return text
    if isinstance(cell, (dict, list, tuple, set, bytes, bytearray)) or hasattr(cell, "__len__"):
        raise UnusableResult("script_result", f"the value of {key!r:.40} is {_type_name(cell)}")
    return str(cell)


def _type_name(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__:.40}"
