"""The contract of the store of histories, and such a store in memory."""

from __future__ import annotations

from typing import Protocol

from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from stream.events import ModelKey


class HistoryStore(Protocol):
    """The histories of models and variants: the tallies of their last judged windows.

    A history belongs to the layout of its tallies, by the fingerprint: under another layout it is
    empty, and adding to it forgets the windows of the former one.
    """

    def get(self, key: ModelKey, layout: TallyLayout) -> History:
        """Return the history of a model and variant, empty if it has none; not to be changed."""

    def add(
        self, key: ModelKey, layout: TallyLayout, window: PastWindow, final_ms: int | None
    ) -> None:
        """Add a window, see :meth:`~detectors.statistics.evidence.horizons.History.add`."""

    def clear(self, model: str) -> None:
        """Forget the histories of all variants of a model; no error if it has none."""


def segments_key(key: ModelKey) -> ModelKey:
    """The key of the history of the segments of a model and variant, beside that of all rows.

    No name of a variant has the separator, which is no printable character.
    """
    return ModelKey(key.model, f"{key.variant}\x1fsegments")


class MemoryHistories:
    """Histories in a dictionary, as of a job that does not outlive its process."""

    def __init__(self) -> None:
        self._histories: dict[ModelKey, tuple[str, History]] = {}

    def get(self, key: ModelKey, layout: TallyLayout) -> History:
        fingerprint, history = self._histories.get(key, ("", History()))
        return history if fingerprint == layout.fingerprint else History()

    def add(
        self, key: ModelKey, layout: TallyLayout, window: PastWindow, final_ms: int | None
    ) -> None:
        history = self.get(key, layout)
        history.add(window, final_ms)
        self._histories[key] = layout.fingerprint, history

    def clear(self, model: str) -> None:
        for key in [key for key in self._histories if key.model == model]:
            del self._histories[key]

    def keys(self) -> list[ModelKey]:
        """Return the models and variants that have a history."""
        return list(self._histories)

    def copy(self) -> MemoryHistories:
        """Return a store with the same histories, which changes on its own."""
        other = MemoryHistories()
        other._histories = {
            key: (fingerprint, History(history.windows()))
            for key, (fingerprint, history) in self._histories.items()
        }
        return other
