"""What a reader process and its owner say to each other: small MessagePack structs, each a message
of its pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.events import (
    Assign,
    CoveredRange,
    DeadLetter,
    Gap,
    ModelKey,
    Partial,
    Position,
    Sample,
    SeenIds,
    WidthMismatches,
)


class UseBaselines(msgspec.Struct, tag=True, array_like=True):
    """Count with these baselines (encoded, by model) from now on."""

    baselines: dict[str, bytes]


class AssignPartitions(msgspec.Struct, tag=True, array_like=True):
    """Read these partitions; others that were assigned before stay as they are.

    ``most``: at most so many records are counted at a time (0: as usual). The records in ``skip``
    become dead letters without being looked at.
    """

    assigns: list[Assign]
    most: int = 0
    skip: list[tuple[str, Position]] = []


class Acknowledge(msgspec.Struct, tag=True, array_like=True):
    """So many partials were taken or refused: there is room for others."""

    partials: int


class Shutdown(msgspec.Struct, tag=True, array_like=True):
    """End now."""


class Fetching(msgspec.Struct, tag=True, array_like=True):
    """The reader begins to ask the source for what follows these positions. If it dies before
    anything comes, they may be the reason.
    """

    ranges: list[tuple[str, Position]]


class Decoding(msgspec.Struct, tag=True, array_like=True):
    """The reader begins to decode records from these positions on. If it dies, they may be the
    reason.
    """

    ranges: list[tuple[str, Position]]


class PartialMessage(msgspec.Struct, tag=True, array_like=True):
    """A partial, its profiles encoded, and how long it took."""

    covers: tuple[CoveredRange, ...]
    layouts: dict[str, str]
    profiles: list[tuple[ModelKey, int, bytes]]
    dead: list[DeadLetter]
    samples: list[Sample]
    future: int
    width_mismatches: list[tuple[ModelKey, int, WidthMismatches]]
    seen: list[SeenIds]
    unremembered: int
    took_s: float


class GapMessage(msgspec.Struct, tag=True, array_like=True):
    """A gap that the reader met."""

    gap: Gap


class Heartbeat(msgspec.Struct, tag=True, array_like=True):
    """A sign of life: how many :class:`AssignPartitions` messages it has obeyed, and whether a bounded source
    is at its end.
    """

    obeyed: int
    finished: bool


class SourceFailed(msgspec.Struct, tag=True, array_like=True):
    """The source could not be opened, or cannot be read on: the fields of ``SourceUnavailable``."""

    source: str
    causes: list[str]
    advice: str
    transient: bool


ToReader = UseBaselines | AssignPartitions | Acknowledge | Shutdown
ToOwner = Fetching | Decoding | PartialMessage | GapMessage | Heartbeat | SourceFailed

encode: Final = msgspec.msgpack.Encoder().encode
order_of: Final = msgspec.msgpack.Decoder(ToReader).decode
word_of: Final = msgspec.msgpack.Decoder(ToOwner).decode


def packed(partial: Partial, took_s: float) -> PartialMessage:
    """A partial as it goes through the pipe."""
    profiles = [(key, pane_ms, profile.encode()) for key, pane_ms, profile in partial.profiles]
    rest = partial[3:]
    return PartialMessage(partial.covers, partial.layouts, profiles, *rest, took_s)


def unpacked(made: PartialMessage, layouts: Mapping[str, Layout]) -> Partial:
    """The partial again. Counted with other layouts than those in force it comes without profiles:
    it will be refused anyway.
    """
    ours = {model: layout.fingerprint for model, layout in layouts.items()} == made.layouts
    profiles = (
        [
            (key, pane_ms, Profile.decode(body, layouts[key.model]))
            for key, pane_ms, body in made.profiles
        ]
        if ours
        else []
    )
    rest = made.dead, made.samples, made.future, made.width_mismatches, made.seen, made.unremembered
    return Partial(made.covers, made.layouts, profiles, *rest)
