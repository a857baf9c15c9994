"""The state of river's detectors as plain data, without pickle."""

from __future__ import annotations

from collections import deque
from inspect import ismethod
from random import Random
from typing import Any


def plain_state(detector: object) -> dict[str, Any]:
    """Return the attributes of a detector as numbers, texts, bytes, lists and mappings.

    Objects of river in it are mappings, too. Its compiled parts (ADWIN's window, weighted means)
    give their fields as bytes. Methods are left out: the class sets them from its parameters.
    Raises ``TypeError`` for an attribute of another kind.
    """
    return {name: _plain(value) for name, value in _attributes(detector).items()}


def restore_state(detector: object, state: dict[str, Any]) -> None:
    """Give a new detector, made with the same parameters, the state of :func:`plain_state`.

    Raises ``ValueError`` or ``TypeError`` if the state is that of another class. The bytes of a
    compiled part must be undamaged, and of the same version of river: on others it panics, which
    is no ``Exception``.
    """
    attributes = _attributes(detector)
    if attributes.keys() != state.keys():
        raise ValueError(f"attributes {sorted(state)}, not {sorted(attributes)}")
    for name, value in state.items():
        setattr(detector, name, _restored(attributes[name], value))


def _attributes(detector: object) -> dict[str, Any]:
    return {name: value for name, value in vars(detector).items() if not ismethod(value)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):  # numpy's doubles included
        return float(value)
    if isinstance(value, deque):
        return [_plain(item) for item in value]
    if isinstance(value, Random):
        version, words, gauss = value.getstate()
        return [version, list(words), gauss]
    if hasattr(value, "__dict__"):
        return plain_state(value)
    state = value.__getstate__()
    if not isinstance(state, bytes):
        raise TypeError(f"the state of {type(value).__name__} is not bytes")
    return state


def _restored(current: Any, value: Any) -> Any:
    if isinstance(current, deque):
        return deque(value, maxlen=current.maxlen)
    if isinstance(current, Random):
        version, words, gauss = value
        current.setstate((version, tuple(words), gauss))
    elif isinstance(value, dict):
        restore_state(current, value)
    elif isinstance(value, bytes):
        current.__setstate__(value)
        if current.__getstate__() != value:
            raise ValueError(f"not the state of {type(current).__name__}")
    else:
        return value
    return current
