"""A follower of a folder, as the service is one: it continues after gaps and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.jsonl.source import Jsonl


def list_at_each_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """List folders whenever reading asks for it, instead of twice a second."""
    monkeypatch.setattr("stream.sources.jsonl.file_order.LIST_S", 0.0)
    monkeypatch.setattr("stream.sources.jsonl.file_order.LISTING_SHARE", 1e9)


class Follower:
    """Reads a path; ``lines`` are all lines so far, ``gaps`` the reasons of all gaps."""

    def __init__(self, path: Path, follow: bool = True, position: Position | None = None) -> None:
        self._source = Jsonl(path=str(path), follow=follow)
        self.lines: list[str] = []
        self.gaps: list[str] = []
        self.reading: Reading = self._source.open("unit")
        [discovered] = self.reading.discover()
        self.position = discovered.start if position is None else position
        self._assign(self.position)

    def restart(self) -> None:
        """Continue from the last position in another reading, as after a kill of the service."""
        self.reading.close()
        self.reading = self._source.open("unit")
        self._assign(self.position)

    def read(self, max_records: int = 100) -> list[str]:
        """Read until nothing more comes; return the new lines."""
        before = len(self.lines)
        quiet = 0
        while quiet < 3 and not self.reading.finished:
            results = self.reading.poll(0.0, max_records)
            new = [self._take(result) for result in results]
            quiet = 0 if any(new) else quiet + 1
        return self.lines[before:]

    def _take(self, result: RawBatch | Gap) -> bool:
        if isinstance(result, Gap):
            self._skip(result)
            return True
        assert result.first == self.position
        self.position = result.next
        values = [value or b"" for value in result.values]
        self.lines += [value.decode("utf-8", "backslashreplace") for value in values]
        return bool(result.values)

    def _skip(self, gap: Gap) -> None:
        assert gap.expected == self.position
        self.gaps.append(gap.reason)
        assert len(self.gaps) < 10, self.gaps
        self.position = gap.resume
        self._assign(gap.resume)

    def _assign(self, position: Position) -> None:
        [partition] = [found.partition for found in self.reading.discover()]
        assign = Assign(claim=1, partition=partition, next=position, mark_ms=None)
        for gap in self.reading.assign([assign]):
            self._skip(gap)
