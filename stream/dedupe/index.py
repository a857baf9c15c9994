"""The ids that a job remembers, so that events which come again are not counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream.dedupe.filter import Dedupe
from stream.dedupe.id_store import IdStore
from stream.events import SeenIds


class IdIndex:
    """Keeps what readers say they have seen, forgets it by the partition's mark, and hands it down
    with the lineage.
    """

    def __init__(self, rules: Dedupe, ids: IdStore) -> None:
        self.ids = ids
        self._rules = rules

    def take(self, seen: Sequence[SeenIds]) -> None:
        """Remember the ids of an accepted partial."""
        for one in seen:
            self.ids.add(one)

    def forget(self, partition: str, mark_ms: int | None) -> None:
        """Let go of what nobody asks for any more."""
        for slice_ms in self.ids.slices(partition) if mark_ms is not None else ():
            if self._rules.forgotten(slice_ms, mark_ms or 0):
                self.ids.drop(partition, slice_ms)

    def hand_down(self, parents: Sequence[str], child: str) -> None:
        """A child knows what its parents knew: an event may be sent again after a shard was split.

        What the parents knew stays for their other children, which may be found later, until
        :meth:`settle` lets go of it.
        """
        for parent in parents:
            for one in self.ids.of(parent):
                self.ids.add(one._replace(partition=child))

    def settle(self, ended: Iterable[str], watermark_ms: int) -> None:
        """Let go of what ended partitions knew: their own marks stand still, so the watermark tells
        when nobody asks any more.
        """
        for partition in ended:
            self.forget(partition, watermark_ms)
