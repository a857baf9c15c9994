"""Dead letters of records, without their content unless it is asked for."""

from __future__ import annotations

from hashlib import sha256

from stream.events import DeadLetter, RawBatch


def dead_letter(
    raw: RawBatch, k: int, reason: str, detail: str = "", keep_payload: bool = False
) -> DeadLetter:
    """Return the dead letter of record ``k`` of a raw batch."""
    value = raw.values[k] or b""
    return DeadLetter(
        partition=raw.partition,
        position=raw.positions[k],
        reason=reason,
        length=len(value),
        sha256=sha256(value).hexdigest(),
        payload=value if keep_payload else None,
        detail=detail,
    )
