"""Matches the sinks of a configuration with the cursors in the state."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


def keys_of(sinks: Iterable[tuple[str, Any]]) -> list[str]:
    """The key of each sink in the state: its type and a hash of its settings.

    The key does not depend on the position in the list, so sinks may be reordered. ``sinks`` are
    types and configurations; the second of two equal sinks gets a number.
    """
    seen = Counter[str]()
    keys = []
    for kind, sink in sinks:
        key = f"{kind} {hashlib.sha256(msgspec.json.encode(sink)).hexdigest()[:16]}"
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key} {seen[key]}")
    return keys


def cursors_of(keys: Sequence[str], stored: Mapping[str, int], last: int) -> list[int]:
    """The cursor that each sink starts with.

    Its own, if the state has one. Else the cursor of a removed sink of the same type, assuming that
    its settings were edited; of several, the one furthest behind: duplicates carry ids, losses do
    not. Else ``last``, after everything in the outbox.

    >>> cursors_of(["sns b", "jsonl d", "jsonl e"], {"jsonl c": 3, "jsonl d": 7, "sns a": 5}, 9)
    [5, 7, 3]
    >>> cursors_of(["jsonl d"], {"jsonl c": 3, "jsonl d": 7}, 9)
    [7]
    """
    orphaned = sorted((seq, key) for key, seq in stored.items() if key not in keys)
    cursors = []
    for key in keys:
        if key in stored:
            cursors.append(stored[key])
            continue
        inherited = next((orphan for orphan in orphaned if _type(orphan[1]) == _type(key)), None)
        if inherited is not None:
            orphaned.remove(inherited)
        cursors.append(last if inherited is None else inherited[0])
    return cursors


def _type(key: str) -> str:
    """The type in a key, also in a key of an earlier version without a hash (``jsonl-2``)."""
    return key.partition(" ")[0].partition("-")[0]
