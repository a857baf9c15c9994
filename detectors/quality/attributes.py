"""The attributes of an object as MessagePack: plain values and NumPy arrays, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

_ARRAY: Final = 1
_INTEGER: Final = 2
"""Codes of MessagePack extensions: an array, and an integer of more than 64 bits."""
_KINDS: Final = "biuf"
"""The kinds of NumPy types that can be stored: bool, integers and floats."""


class AttributesInvalid(ValueError):
    """A value that cannot be stored; the text names the attribute and its type."""


def encode_attributes(attributes: Mapping[str, Any]) -> bytes:
    """Return attributes as MessagePack, ordered by name.

    Values are numbers, texts, bytes, ``None``, NumPy arrays of numbers, and lists and dictionaries
    of these with texts or integers as keys. Raises :class:`AttributesInvalid` for others.

    >>> decode_attributes(encode_attributes({"total": 2**70, "sums": np.array([1.5])}))
    {'sums': array([1.5]), 'total': 1180591620717411303424}
    """
    stored = {name: _plain(attributes[name], name) for name in sorted(attributes)}
    return msgspec.msgpack.encode(stored)


def decode_attributes(data: bytes) -> dict[str, Any]:
    """Return the attributes that :func:`encode_attributes` wrote."""
    return _DECODER.decode(data)


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | float | str | bytes):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else _wide(value)
    if isinstance(value, np.generic | np.ndarray):
        return _of_numpy(value, path)
    if type(value) is list:
        return [_plain(entry, f"{path}[{place}]") for place, entry in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str | int) for key in value):
        return {key: _plain(entry, f"{path}[{key!r}]") for key, entry in value.items()}
    raise AttributesInvalid(f"{path} is of type {type(value).__name__}")


def _wide(value: int) -> msgspec.msgpack.Ext:
    size = value.bit_length() // 8 + 1
    return msgspec.msgpack.Ext(_INTEGER, value.to_bytes(size, "little", signed=True))


def _of_numpy(value: Any, path: str) -> Any:
    if value.dtype.kind not in _KINDS:
        raise AttributesInvalid(f"{path} is a NumPy value of type {value.dtype}")
    if isinstance(value, np.generic):
        return value.item()
    little = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
    content = (little.dtype.str, list(little.shape), little.tobytes())
    return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode(content))


def _extension(code: int, data: memoryview) -> Any:
    if code == _INTEGER:
        return int.from_bytes(data, "little", signed=True)
    kind, shape, content = msgspec.msgpack.decode(data, type=tuple[str, list[int], bytes])
    if np.dtype(kind).kind not in _KINDS:
        raise msgspec.ValidationError(f"an array of type {kind}")
    return np.frombuffer(content, kind).reshape(shape).copy()


_DECODER = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=_extension)
