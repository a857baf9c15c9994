"""The contracts of the stores of panes, of the sums of periods, and of the counts of seasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

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


class PeriodId(NamedTuple):
    """One period of a schedule, of a model and variant: its length, its start, and its layout."""

    model: str
    variant: str
    layout: str
    schedule_ms: int
    start_ms: int

    @property
    def key(self) -> ModelKey:
        """The model and variant."""
        return ModelKey(self.model, self.variant)


class SeasonId(NamedTuple):
    """One season of a model: the fingerprint of its layout, and its key as text."""

    model: str
    layout: str
    season: str


Id = TypeVar("Id")


class ProfileStore(Protocol[Id]):
    """Profiles by their ids.

    A profile returned by :meth:`get` may be changed in place if it is then :meth:`put` back.
    """

    def get(self, id_: Id, /) -> Profile | None:
        """Return the profile of an id; ``None`` if it has none."""

    def put(self, id_: Id, profile: Profile, /) -> None:
        """Store the profile of an id."""

    def drop(self, id_: Id, /) -> None:
        """Delete a profile; no error if it does not exist."""

    def ids(self) -> Iterable[Id]:
        """Return all ids that have a profile."""


PaneStore: TypeAlias = ProfileStore[PaneId]
PeriodStore: TypeAlias = ProfileStore[PeriodId]
SeasonStore: TypeAlias = ProfileStore[SeasonId]


class NoProfiles(Generic[Id]):
    """The store of a job that has no profiles of a kind; ``what`` names it."""

    def __init__(self, what: str) -> None:
        self._what = what

    def get(self, id_: Id, /) -> Profile | None:
        return None

    def put(self, id_: Id, profile: Profile, /) -> None:
        raise ValueError(f"the job has no store of {self._what}")

    def drop(self, id_: Id, /) -> None:
        pass

    def ids(self) -> Iterable[Id]:
        return ()
