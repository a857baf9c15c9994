"""Writes dead letters, the records that were not counted, to a file."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sinks.jsonl import append
from stream.events import DeadLetter, DeadLetters


class DeadLetterFile:
    """Appends one JSON line per dead letter.

    A line holds partition, position, reason, length and sha256, and the payload if it was kept.
    Delivery is at least once: after a crash the letters of the last commit may be in the file
    twice, with the same partition and position. The file is created with the first letter; a last
    line that a crash truncated is terminated first.
    """

    left_out = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    def deliver(self, items: Sequence[DeadLetters]) -> None:
        """Append the letters of some partials: all or none."""
        lines = [_line(letter) for item in items for letter in item.letters]
        if not lines:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append(self.path, b"".join(lines))

    def close(self) -> None:
        """Do nothing: the file is opened for each call."""


def _line(letter: DeadLetter) -> bytes:
    fields: dict[str, object] = {
        "partition": letter.partition,
        "position": letter.position,
        "reason": letter.reason,
        "length": letter.length,
        "sha256": letter.sha256,
    }
    if letter.payload is not None:
        fields["payload"] = b64encode(letter.payload).decode()
    return msgspec.json.encode(fields) + b"\n"
