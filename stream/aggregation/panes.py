"""Where the panes of open windows lie: the contract, and the plain one in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from detectors.profiles.profile import Profile
from stream.events import ModelKey


class PaneId(NamedTuple):
    """One pane of one model: its start, and the fingerprint of the layout that it was counted with."""

    model: str
    variant: str
    layout: str
    start_ms: int

    @property
    def key(self) -> ModelKey:
        """The model and variant."""
        return ModelKey(self.model, self.variant)


class PaneStore(Protocol):
    """Profiles by pane. What :meth:`get` returns may be changed in place if it is put back."""

    def get(self, pane: PaneId) -> Profile | None:
        """The profile of a pane, ``None`` if it has none."""

    def put(self, pane: PaneId, profile: Profile) -> None:
        """Keep a profile."""

    def drop(self, pane: PaneId) -> None:
        """Forget a pane; no error if it is not there."""

    def ids(self) -> Iterable[PaneId]:
        """All panes that have a profile."""


class MemoryPanes:
    """Panes in a dictionary; ``changed`` names those that a commit must write (``None`` in the
    dictionary: dropped).
    """

    def __init__(self) -> None:
        self._panes: dict[PaneId, Profile] = {}
        self.changed: set[PaneId] = set()

    def get(self, pane: PaneId) -> Profile | None:
        return self._panes.get(pane)

    def put(self, pane: PaneId, profile: Profile) -> None:
        self._panes[pane] = profile
        self.changed.add(pane)

    def drop(self, pane: PaneId) -> None:
        if self._panes.pop(pane, None) is not None:
            self.changed.add(pane)

    def ids(self) -> Iterable[PaneId]:
        return list(self._panes)
