"""The contract of the store of the panes of open windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from detectors.profiles.profile import Profile
from stream.events import ModelKey


class PaneId(NamedTuple):
    """One pane of a model and variant: its start, and the fingerprint of its layout."""

    model: str
    variant: str
    layout: str
    start_ms: int

    @property
    def key(self) -> ModelKey:
        """The model and variant."""
        return ModelKey(self.model, self.variant)


class PaneStore(Protocol):
    """Profiles by pane.

    A profile returned by :meth:`get` may be changed in place if it is then :meth:`put` back.
    """

    def get(self, pane: PaneId) -> Profile | None:
        """Return the profile of a pane; ``None`` if it has none."""

    def put(self, pane: PaneId, profile: Profile) -> None:
        """Store the profile of a pane."""

    def drop(self, pane: PaneId) -> None:
        """Delete a pane; no error if it does not exist."""

    def ids(self) -> Iterable[PaneId]:
        """Return all panes that have a profile."""
