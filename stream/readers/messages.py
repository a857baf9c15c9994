"""Messages between the owner and its reader processes: MessagePack structs with named fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.events import Assign, Gap, ModelKey, Partial, Position


class UseBaselines(msgspec.Struct, tag=True):
    """An order to count with these baselines (encoded, by model)."""

    baselines: dict[str, bytes]


class AssignPartitions(msgspec.Struct, tag=True):
    """An order to read these partitions; others that were assigned before stay assigned.

    ``max_records`` is the largest number of records to count at a time (0: as usual). The records
    in ``skip`` become dead letters without being decoded.
    """

    assigns: list[Assign]
    max_records: int = 0
    skip: list[tuple[str, Position]] = []


class Inform(msgspec.Struct, tag=True):
    """News of the owner's source about partitions, which the reader's own source cannot find."""

    found: dict[str, bytes]


class Acknowledge(msgspec.Struct, tag=True):
    """An acknowledgement of partials that the owner has accepted or refused: others may follow."""

    partials: int


class Shutdown(msgspec.Struct, tag=True):
    """An order to end."""


class Fetching(msgspec.Struct, tag=True):
    """A note that the reader fetches the records from these positions on.

    If it crashes before any of them arrive, they may be the reason.
    """

    positions: list[tuple[str, Position]]


class Decoding(msgspec.Struct, tag=True):
    """A note that the reader begins to decode the records from these positions on.

    If it crashes before it sends their partial, they may be the reason.
    """

    positions: list[tuple[str, Position]]


class PartialMessage(msgspec.Struct, tag=True, kw_only=True):
    """A partial, and the duration of decoding and counting in seconds.

    ``partial`` is without its profiles, which are encoded separately in ``profiles``.
    """

    partial: Partial
    profiles: list[tuple[ModelKey, int, bytes]]
    duration_s: float


class GapMessage(msgspec.Struct, tag=True):
    """A gap that the reader found."""

    gap: Gap


class Heartbeat(msgspec.Struct, tag=True):
    """A periodic message of a working reader.

    ``orders`` is the number of :class:`AssignPartitions` messages it has carried out, and
    ``finished`` is true at the end of a bounded source.
    """

    orders: int
    finished: bool


class SourceFailed(msgspec.Struct, tag=True):
    """A failure to open or read the source; the fields are those of ``SourceUnavailable``."""

    source: str
    causes: list[str]
    advice: str
    transient: bool


ToReader = UseBaselines | AssignPartitions | Inform | Acknowledge | Shutdown
ToOwner = Fetching | Decoding | PartialMessage | GapMessage | Heartbeat | SourceFailed

encode: Final = msgspec.msgpack.Encoder().encode
decode_for_reader: Final = msgspec.msgpack.Decoder(ToReader).decode
decode_for_owner: Final = msgspec.msgpack.Decoder(ToOwner).decode


def pack(partial: Partial, duration_s: float) -> PartialMessage:
    """Return the message of a partial."""
    profiles = [(key, pane_ms, profile.encode()) for key, pane_ms, profile in partial.profiles]
    without = msgspec.structs.replace(partial, profiles=[])
    return PartialMessage(partial=without, profiles=profiles, duration_s=duration_s)


def unpack(message: PartialMessage, layouts: Mapping[str, Layout]) -> Partial:
    """Return the partial of a message.

    A partial counted with other layouts than those in force has no profiles: it will be refused.
    """
    in_force = {model: layout.fingerprint for model, layout in layouts.items()}
    if message.partial.layouts != in_force:
        return message.partial
    profiles = [
        (key, pane_ms, Profile.decode(body, layouts[key.model]))
        for key, pane_ms, body in message.profiles
    ]
    return msgspec.structs.replace(message.partial, profiles=profiles)
