"""The contract of a format: bytes become columns; what cannot be read is told, never hidden."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import msgspec

from stream.events import DecodedRecords, RawBatch

ColumnType = Literal["int", "float", "text", "raw"]
"""How a column is read: as its feature's type says, or ``raw`` (text as it came) while a layout is
being learned."""


class Schema(NamedTuple):
    """The columns of one or more models: names in the order of the payload, and how each is read.

    ``outputs`` come from the endpoint's answer, ``inputs`` from the request.
    """

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    types: dict[str, ColumnType]


class DecodingPlan(NamedTuple):
    """What the formats must know of the models: the distinct schemas, and which model uses which.

    A model whose name is not in ``models`` is unknown: its records are rejected as
    ``unknown_model``.
    """

    schemas: tuple[Schema, ...]
    models: dict[str, int]


class Decoder(Protocol):
    """The running half of a format. It keeps hints for speed between calls, nothing that changes a
    result.
    """

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Decode the records of all batches, numbered through in the order given.

        A record is taken whole or rejected whole. Every rejected record stands in ``rejects`` once
        and in no batch.
        """


class NameConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the name of the model (or variant) of a record comes from.

    ``const``: ``name``. ``topic``: the topic. ``key``: the record's key. ``header``: the header
    called ``name``. ``path``: a dotted path ``name`` in the event (format ``json``, and the
    envelope of format ``sagemaker``). ``file``: the first group of the regular expression ``name``
    in the file's path.
    """

    source: Literal["const", "topic", "key", "header", "path", "file"] = msgspec.field(
        name="from", default="const"
    )
    """``const``: ``name`` itself; ``topic``: the topic or stream; ``key``: the record's key;
    ``header``: the header called ``name``; ``path``: the dotted path ``name`` in the event;
    ``file``: the first group of the regular expression ``name`` in the file's path.
    """
    name: str = ""
    """The name itself, a header, a path or a regular expression, as ``from`` says."""


class TimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the event time comes from: a dotted ``path`` and its ``unit``; ``missing`` says what to
    do without it.

    ``iso``: ISO 8601 text, UTC where it names no offset. ``arrival`` takes the time at which the
    log took the record.
    """

    path: str = ""
    """The dotted path of the event time; empty: that of the format (``time`` for json,
    ``eventMetadata.inferenceTime`` for sagemaker).
    """
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"
    """``iso``: ISO 8601 text, UTC where it has no offset; otherwise the unit of a number since
    1970.
    """
    missing: Literal["reject", "arrival"] = "reject"
    """What happens to an event without a time: ``reject`` it, or take its ``arrival`` in the log.
    """


class IdentityConfig(NamedTuple):
    """The part of the configuration that every format needs: model, variant and time."""

    model: NameConfig
    variant: NameConfig
    time: TimeConfig


class Format(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a format; ``open`` builds the decoder for the models of a plan.

    ``time_path``: where the time lies unless the configuration says.
    """

    time_path: ClassVar[str]

    def named_columns(self) -> dict[str, Collection[str]]:
        """The columns that keys of this format name, by key: each must be a column of some model."""
        return {}

    def has_id(self, which: str) -> bool:
        """Whether events of this format have the id ``event_id`` or ``inference_id``."""
        return True

    def schema(
        self, outputs: Sequence[str], inputs: Sequence[str], types: dict[str, ColumnType]
    ) -> Schema:
        """The schema of a model whose baseline has these columns, as this format will find them."""
        return Schema(tuple(outputs), tuple(inputs), types)

    def open(self, origin: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """A decoder for this plan; called again when a model's layout changes."""
        raise NotImplementedError
