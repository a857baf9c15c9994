"""Which cursor belongs to which sink, when a configuration is changed between two runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


def keys_of(sinks: Iterable[tuple[str, Any]]) -> list[str]:
    """What the state calls each sink: its type and a hash of its keys, so that its place in the
    list means nothing.

    ``sinks``: types and configurations. The second of two that are alike gets a number.
    """
    seen = Counter[str]()
    out = []
    for kind, sink in sinks:
        key = f"{kind} {hashlib.sha256(msgspec.json.encode(sink)).hexdigest()[:16]}"
        seen[key] += 1
        out.append(key if seen[key] == 1 else f"{key} {seen[key]}")
    return out


def cursors_of(keys: Sequence[str], stored: Mapping[str, int], last: int) -> list[int]:
    """The cursor of each sink: its own if it has one; else that of a sink of the same type that is
    no more, whose keys were corrected (the one that is least far: what comes twice can be told by
    its id, what is lost can not); else ``last``, behind what there is.

    >>> cursors_of(["sns b", "jsonl d", "jsonl e"], {"jsonl c": 3, "jsonl d": 7, "sns a": 5}, 9)
    [5, 7, 3]
    >>> cursors_of(["jsonl d"], {"jsonl c": 3, "jsonl d": 7}, 9)
    [7]
    """
    free = sorted((seq, key) for key, seq in stored.items() if key not in keys)
    out = []
    for key in keys:
        heirs = [] if key in stored else [one for one in free if _kind(one[1]) == _kind(key)]
        if heirs:
            free.remove(heirs[0])
        out.append(heirs[0][0] if heirs else stored.get(key, last))
    return out


def _kind(key: str) -> str:
    """Before keys had a hash, they were ``jsonl``, ``jsonl-2`` and so on."""
    return key.partition(" ")[0].partition("-")[0]
