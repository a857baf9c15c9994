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

    A line holds partition, position, reason, length and sha256, the detail of the reason if there
    is one, and the payload if it was kept; a line ``{"left_out": N}`` stands for N letters beyond
    the limit of a second. Delivery is at least once: after a crash the letters of the last commit
    may be in the file twice, with the same partition and position. The file is created with the
    first letter; a last line that a crash truncated is terminated first.

    From ``most_bytes`` on the file is renamed to ``PATH.1`` and a new one begun. ``old_files`` of
    the renamed ones are kept.
    """

    left_out = 0

    def __init__(self, path: Path, most_bytes: int, old_files: int) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._old_files = old_files

    def deliver(self, items: Sequence[DeadLetters]) -> None:
        """Append the letters of some partials: all or none."""
        lines = [line for item in items for line in _lines(item)]
        if not lines:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rotate()
        append(self.path, b"".join(lines))

    def needs(self, item: DeadLetters) -> bool:
        """Return false: what is written need not be delivered again."""
        return False

    def close(self) -> None:
        """Do nothing: the file is opened for each call."""

    def _rotate(self) -> None:
        """Rename the file if it is full, and each older one to the next number."""
        if not self.path.is_file() or self.path.stat().st_size < self._most_bytes:
            return
        if not self._old_files:
            self.path.unlink()
            return
        names = [self.path, *map(self._old, range(1, self._old_files + 1))]
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer.exists():
                newer.replace(older)

    def _old(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _lines(letters: DeadLetters) -> list[bytes]:
    lines = [_line(letter) for letter in letters.letters]
    if letters.left_out:
        lines.append(msgspec.json.encode({"left_out": letters.left_out}) + b"\n")
    return lines


def _line(letter: DeadLetter) -> bytes:
    fields: dict[str, object] = {
        "partition": letter.partition,
        "position": letter.position,
        "reason": letter.reason,
        "length": letter.length,
        "sha256": letter.sha256,
    }
    if letter.detail:
        fields["detail"] = letter.detail
    if letter.payload is not None:
        fields["payload"] = b64encode(letter.payload).decode()
    return msgspec.json.encode(fields) + b"\n"
