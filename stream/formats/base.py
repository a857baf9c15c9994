"""The contract of a format: bytes become columns; what cannot be decoded is rejected with a reason.

A format is one file or folder, whose name is its ``type`` in the configuration. It has two halves:
a :class:`Format`, its configuration, and a :class:`Decoder`, which that configuration opens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import msgspec

from stream.events import DecodedRecords, RawBatch

ColumnType = Literal["int", "float", "text", "raw"]
"""How a column is decoded: as its feature's type says, or ``raw``, as the text in the payload,
while a layout is being learned.
"""


class Schema(NamedTuple):
    """The columns of one or more models, in the order of the payload, and the type of each.

    ``outputs`` are in the response of the endpoint, ``inputs`` in the request.
    """

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    types: dict[str, ColumnType]


class DecodingPlan(NamedTuple):
    """The distinct schemas, and the index of the schema of each model.

    A model that is not in ``models`` is unknown: its records are rejected as ``unknown_model``.
    """

    schemas: tuple[Schema, ...]
    models: dict[str, int]


class Decoder(Protocol):
    """The running half of a format.

    A reader opens one, and opens another when the layout of a model changes. One thread uses it. It
    may keep hints for speed between calls, but nothing that changes a result: the same records give
    the same columns in any process, in batches of any size.
    """

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Decode the records of all batches, numbered consecutively in the order given.

        Called once for each poll, with thousands of records: this is the hot path, and must work on
        columns. Must not raise for any content of a record, and must not block.

        A record is accepted as a whole or rejected as a whole. Each rejected record is in
        ``rejects`` once, with a reason, and in no batch. If its time can be read it keeps that
        time. The rows of an accepted record are in exactly one batch. No value of a record is
        logged.
        """


class NameConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the name of the model (or variant) of a record comes from.

    A ``path`` is one in the event of format ``json``, or in the envelope of format ``sagemaker``.
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
    """Where the event time comes from: a dotted ``path`` and its ``unit``."""

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
    """Base of the configuration of a format.

    The fields of a subclass are the keys in the configuration file, its docstring describes them in
    the JSON schema, and ``tag`` is its ``type``. ``time_path`` is where the event time is unless
    the configuration says otherwise.
    """

    time_path: ClassVar[str]

    def named_columns(self) -> dict[str, Collection[str]]:
        """Return the columns that keys of this format name, by key.

        Each must be a column of some model; the check of a configuration reports those that are
        not.
        """
        return {}

    def has_id(self, which: str) -> bool:
        """Return whether events have the id ``event_id`` or ``inference_id``, for ``dedupe``."""
        return True

    def schema(
        self, outputs: Sequence[str], inputs: Sequence[str], types: dict[str, ColumnType]
    ) -> Schema:
        """Return the schema of a model whose baseline has these columns, as the decoder finds them.

        Called for each model whenever the layouts change.
        """
        return Schema(tuple(outputs), tuple(inputs), types)

    def open(self, identity: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """Return a decoder for the models of a plan; called again when a layout changes."""
        raise NotImplementedError
