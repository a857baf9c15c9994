"""The faults that several checks of a configuration report, and how values are quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from detectors.faults import nearest
from detectors.phrases import escaped
from stream.errors import ConfigFault

LONGEST_QUOTE: Final = 80
"""The largest number of characters of a value that a message shows."""
SHORT_LIST: Final = 8
"""A list of valid names up to this length is shown even where the nearest name is known."""
LONGEST_LIST: Final = 20
"""The largest number of valid names that a message shows; the fault holds all of them."""


UNKNOWN_KEY: Final = "a known key"
"""What is ``expected`` in the place of an unknown key."""


def mismatch(path: str, expected: str, found: str) -> ConfigFault:
    """The fault of an unexpected value.

    >>> str(mismatch("window", "a number and a unit", "60"))
    'window: expected a number and a unit, found 60'
    """
    reason = f"expected {expected}, found {found}"
    return ConfigFault(path=path, reason=reason, expected=expected, found=found)


def missing(path: str, valid: Sequence[str] = ()) -> ConfigFault:
    """The fault of a missing key."""
    reason = _with_names("required key is missing", "", valid)
    return ConfigFault(path=path, reason=reason, expected="a value", valid=tuple(valid))


def unknown_key(path: str, key: object, valid: Sequence[str]) -> ConfigFault:
    """The fault of an unknown key.

    >>> str(unknown_key("souce", "souce", ["job", "source"]))
    "souce: unknown key; did you mean 'source'? valid: job, source"
    """
    reason = _with_names("unknown key", str(key), valid)
    return ConfigFault(
        path=path, reason=reason, expected=UNKNOWN_KEY, found=str(key), valid=(*valid,)
    )


def unknown_name(path: str, kind: str, value: object, valid: Iterable[str]) -> ConfigFault:
    """The fault of an unknown name of some ``kind`` (a type, a model, a column).

    >>> str(unknown_name("sinks[1].type", "type", "promtheus", ["jsonl", "prometheus"]))
    "sinks[1].type: unknown type 'promtheus'; did you mean 'prometheus'? valid: jsonl, prometheus"
    """
    names = tuple(valid)
    found = quoted(value)
    reason = _with_names(f"unknown {kind} {found}", str(value), names)
    return ConfigFault(
        path=path, reason=reason, expected=f"the name of a {kind}", found=found, valid=names
    )


def _with_names(reason: str, wrong: str, valid: Sequence[str]) -> str:
    near = nearest(wrong, valid) if wrong else ""
    if near:
        reason += f"; did you mean {near!r}?"
    if not valid or (near and len(valid) > SHORT_LIST):
        return reason
    names = ", ".join(map(escaped, valid[:LONGEST_LIST]))
    more = f" and {len(valid) - LONGEST_LIST} more" if len(valid) > LONGEST_LIST else ""
    return f"{reason}{'' if near else ';'} valid: {names}{more}"


def quoted(value: object) -> str:
    """Return a value as a message shows it: short, and in the notation of the file.

    >>> quoted(None), quoted({"a": 1}), quoted(True), quoted("sixty")
    ('nothing', 'a mapping', 'true', "'sixty'")
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


def key_path(path: str, key: object) -> str:
    """Return the path of ``key`` in the mapping at ``path``.

    >>> key_path("", "source"), key_path("source", "type")
    ('source', 'source.type')
    """
    return f"{path}.{key}" if path else str(key)
