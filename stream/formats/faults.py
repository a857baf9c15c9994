"""The faults of records: a reason, and a detail that states the decisive fact without a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from detectors.phrases import escaped

MOST_NAMES: Final = 8
"""The number of names that a detail lists at most."""
LONGEST_NAME: Final = 40
"""The number of characters of a name in a detail."""


class RecordFault(NamedTuple):
    """A reason of :data:`stream.outcomes.ADVICE`, and a detail for the dead letter.

    A detail holds names, numbers of rows and columns, and types, but no value of a feature.
    """

    reason: str
    detail: str = ""


class MalformedRecord(Exception):
    """A record that cannot be decoded; ``reason`` and ``detail`` are those of its dead letter."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason)

    @property
    def fault(self) -> RecordFault:
        """The reason and the detail."""
        return RecordFault(self.reason, self.detail)


def listed(names: Iterable[str]) -> str:
    """Return a few names, shortened and without control characters; ``nothing`` if there is none.

    >>> listed(["x", "y"]), listed([])
    ('x, y', 'nothing')
    >>> listed(map(str, range(10)))
    '0, 1, 2, 3, 4, 5, 6, 7 and 2 others'
    """
    known = list(names)
    shown = [visible(name) for name in known[:MOST_NAMES]]
    if len(known) > MOST_NAMES:
        rest = len(known) - MOST_NAMES
        return f"{', '.join(shown)} and {rest} other{'s' if rest > 1 else ''}"
    return ", ".join(shown) or "nothing"


def visible(name: str) -> str:
    """Return a name as it may be shown: escaped where it does not print, and cut where long.

    >>> visible("a\\n"), visible("x" * 50)
    ('a\\\\n', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...')
    """
    cut = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return escaped(cut)


def type_name(value: object) -> str:
    """Return the JSON type of a value, with the number of its entries where it has some.

    >>> type_name([1, 2]), type_name(None), type_name({})
    ('a list of 2', 'null', 'an object without keys')
    """
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {listed(value)}" if value else "an object without keys"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"


def absent(document: object, path: Sequence[str]) -> str:
    """Return which keys there are where a path ends.

    >>> absent({"a": {"b": 1}}, ["a", "time"])
    'no a.time: a has b'
    """
    holder: list[str] = []
    for key in path:
        if not isinstance(document, Mapping) or not isinstance(document.get(key), Mapping):
            break
        document = document[key]
        holder.append(key)
    where = visible(".".join(holder)) if holder else "the record"
    has = listed(document) if isinstance(document, Mapping) else type_name(document)
    return f"no {visible('.'.join(path))}: {where} has {has}"
