"""Seasons: what the baseline looks like at the times that a calendar tells apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec

from detectors.errors import LayoutMismatch, SeasonsMismatch
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile

LEAST_ROWS: Final = 200
"""The number of rows below which a season is pooled with those that share its first parts."""


class _Wire(msgspec.Struct, frozen=True):
    calendar: Calendar
    profiles: list[tuple[Key, bytes]]


class Seasons:
    """Rows of the baseline's kind by the season that they belong to, each with its own counts.

    ``calendar`` says which season a moment belongs to. ``profiles`` holds the counts of each key
    that has rows, all of one layout; they are not to be changed. Two of them merge by addition.

    ``fingerprint`` identifies calendar, layout, rows and counts: it is the version of the seasons,
    and no part of the baseline's fingerprint. Equal rows have an equal one, in whatever parts they
    were added up, as sums of floats have not.
    """

    def __init__(self, calendar: Calendar, profiles: Mapping[Key, Profile]) -> None:
        known = {key: profiles[key] for key in sorted(profiles) if profiles[key].rows}
        layouts = sorted({profile.layout.fingerprint for profile in known.values()})
        if len(layouts) > 1:
            raise LayoutMismatch(*layouts[:2])
        self.calendar = calendar
        self.profiles: Mapping[Key, Profile] = MappingProxyType(known)
        self._pools: dict[Key, tuple[Key, ...]] = {}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over calendar, layout, keys, rows and counts."""
        return self._digest()

    @cached_property
    def checksum(self) -> str:
        """Sixteen hex digits over the same and the sums, for a file of these seasons."""
        return self._digest(sums=True)

    def _digest(self, sums: bool = False) -> str:
        seed = blake2b(msgspec.msgpack.encode(self.calendar), digest_size=8)
        seed.update(self.layout.fingerprint.encode() if self.layout else b"")
        for key, profile in self.profiles.items():
            seed.update(msgspec.msgpack.encode((key, profile.rows)))
            for counted in filter(None, (profile, profile.segments)):
                seed.update(counted.counts.tobytes())
                seed.update(counted.sums.tobytes() if sums else b"")
        return seed.hexdigest()

    @property
    def layout(self) -> Layout | None:
        """The layout of the counts; ``None`` without any."""
        return next((profile.layout for profile in self.profiles.values()), None)

    @cached_property
    def by_segment(self) -> Seasons | None:
        """The seasons of the segments, in the stacked layout; ``None`` if none are counted.

        A season has as many rows as all of its segments together: it is pooled as that of all rows.
        """
        sides = {key: profile.segments for key, profile in self.profiles.items()}
        counted = {key: side for key, side in sides.items() if side is not None}
        return Seasons(self.calendar, counted) if counted else None

    def of_each(self, change: Callable[[Profile], Profile]) -> Seasons:
        """The same seasons with other counts of each, such as those of fewer segments."""
        profiles = {key: change(profile) for key, profile in self.profiles.items()}
        return Seasons(self.calendar, profiles)

    def pool(self, start_ms: int) -> tuple[Key, ...]:
        """The keys whose counts a window that begins then is compared with together.

        The window's own key, or with fewer than :data:`LEAST_ROWS` rows all that share its first
        parts: the most parts with which there are as many rows. Empty where there are not as many
        with the first part alone: the window is compared with the whole baseline.
        """
        return self.pool_of(self.calendar.key(start_ms))

    def pool_of(self, key: Key) -> tuple[Key, ...]:
        """The keys whose counts a window of a season is compared with, see :meth:`pool`."""
        if key not in self._pools:
            self._pools[key] = self._pool(key)
        return self._pools[key]

    def _pool(self, key: Key) -> tuple[Key, ...]:
        for parts in range(len(key), 0, -1):
            alike = tuple(other for other in self.profiles if other[:parts] == key[:parts])
            if sum(self.profiles[other].rows for other in alike) >= LEAST_ROWS:
                return alike
        return ()

    def at(self, start_ms: int) -> Profile | None:
        """What a window that begins then is compared with; ``None`` for the whole baseline."""
        return self.sum(self.pool(start_ms))

    def sum(self, keys: tuple[Key, ...]) -> Profile | None:
        """The counts of some keys together; ``None`` without a key."""
        if not keys:
            return None
        total = Profile(self.profiles[keys[0]].layout)
        for key in keys:
            total.merge(self.profiles[key])
        return total

    def words(self, start_ms: int) -> str:
        """The season of a window that begins then, as far as its counts tell it apart.

        Empty for the whole baseline.

        >>> calendar = Calendar(by=("hour_of_day", "weekend"))
        >>> Seasons(calendar, {}).words(0)
        ''
        """
        return self.words_of(self.calendar.key(start_ms))

    def words_of(self, own: Key) -> str:
        """The same by the key of the season."""
        keys = self.pool_of(own)
        if not keys:
            return ""
        alike = [all(key[: k + 1] == own[: k + 1] for key in keys) for k in range(len(own))]
        return ", ".join(
            f"{part} {value}" if value.isdigit() else value
            for part, value, shared in zip(self.calendar.by, own, alike, strict=True)
            if shared
        )

    def merged(self, other: Seasons) -> Seasons:
        """The counts of both, key by key; neither changes.

        Raises :class:`~detectors.errors.SeasonsMismatch` if the calendars differ, and
        :class:`~detectors.errors.LayoutMismatch` if the layouts do.
        """
        if self.calendar != other.calendar:
            raise SeasonsMismatch(self.calendar.by, other.calendar.by)
        profiles = {key: profile.copy() for key, profile in self.profiles.items()}
        for key, profile in other.profiles.items():
            if key in profiles:
                profiles[key].merge(profile)
            else:
                profiles[key] = profile.copy()
        return Seasons(self.calendar, profiles)

    def encode(self) -> bytes:
        """MessagePack; the counts are compressed, without distinct values."""
        profiles = [(key, each.encode(with_values=False)) for key, each in self.profiles.items()]
        return msgspec.msgpack.encode(_Wire(self.calendar, profiles))

    @classmethod
    def decode(cls, data: bytes | msgspec.Raw, layout: Layout) -> Seasons:
        """The seasons that :meth:`encode` wrote.

        Raises ``msgspec.MsgspecError`` and :class:`~detectors.errors.ProfileInvalid` if they are
        damaged, :class:`~detectors.errors.LayoutMismatch` if they belong to another layout.
        """
        wire = msgspec.msgpack.decode(data, type=_Wire)
        profiles = {key: Profile.decode(encoded, layout) for key, encoded in wire.profiles}
        return cls(wire.calendar, profiles)
