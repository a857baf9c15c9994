"""The contract of a format: bytes become columns; what cannot be decoded is rejected with a reason.

A format is one file or folder, whose name is its ``type`` in the configuration. It has two halves:
a :class:`Format`, its configuration, and a :class:`Decoder`, which that configuration opens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, Protocol, Self, runtime_checkable

import msgspec

from detectors.faults import Fault
from detectors.profiles.reading import PLAIN, CellReading
from stream.events import DecodedRecords, RawBatch


class ColumnType(NamedTuple):
    """The decoding of a column.

    ``kind`` is that of its feature, or ``raw``, as the text in the payload, while a layout is being
    learned. ``reading`` holds the missing markers and the booleans of a numeric feature; those of a
    text feature are looked up when its values are counted.
    """

    kind: Literal["int", "float", "text", "raw"]
    reading: CellReading = PLAIN


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
    ``names_count``: a row that seems to name the columns of a CSV, where none should, counts as one
    of data, as it does for SageMaker Model Monitor.
    """

    schemas: tuple[Schema, ...]
    models: dict[str, int]
    names_count: bool = False


class Decoder(Protocol):
    """The running half of a format.

    A reader opens one, and opens another when the layout of a model changes. One thread uses it. It
    may keep hints for speed between calls, but nothing that changes a result: the same records
    yield the same columns in any process, in batches of any size.
    """

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Decode the records of all batches, numbered consecutively in the order given.

        Called once for each poll, with thousands of records: this is the hot path, and must work on
        columns. Must not raise for any content of a record, and must not block.

        A record is accepted or rejected as a whole. Each rejected record is in ``rejects`` once,
        with a reason, and in no batch. If its time can be read it keeps that time, else it has -1.
        The rows of an accepted record are in exactly one batch. No value of a record is logged.
        Without batches or records, the result is empty.
        """


@runtime_checkable
class PacedDecoder(Decoder, Protocol):
    """A decoder that takes long for a record, and says how many it can decode in a short time.

    Where it waits in a call, it calls ``on_wait`` at least once a second.
    """

    on_wait: Callable[[], object]

    @property
    def most_records(self) -> int:
        """The largest number of records that the next call should have."""


class NameConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The origin of the name of a record's model or variant.

    A ``path`` refers to the event of format ``json``, or to the envelope of format ``sagemaker``.
    """

    source: Literal["const", "topic", "key", "header", "path", "file"] = msgspec.field(
        name="from", default="const"
    )
    """``const``: ``name`` itself; ``topic``: the topic or stream; ``key``: the record's key;
    ``header``: the header called ``name``; ``path``: the dotted path ``name`` in the event;
    ``file``: the first group of the regular expression ``name`` in the file's path.
    """
    name: str = ""
    """The name itself, a header, a path or a regular expression, depending on ``from``."""


TimeUnit = Literal["iso", "s", "ms", "us", "ns"]
"""What a time is written in: ISO 8601 text, or the unit of a number since 1970."""


class TimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The origin of the event time: a dotted ``path`` and its ``unit``."""

    path: str = ""
    """The dotted path of the event time; empty: that of the format (``time`` for json,
    ``eventMetadata.inferenceTime`` for sagemaker).
    """
    unit: TimeUnit = "iso"
    """``iso``: ISO 8601 text, UTC where it has no offset; otherwise the unit of a number since
    1970.
    """
    missing: Literal["reject", "arrival"] = "reject"
    """The treatment of an event without a time: ``reject``, or count at its ``arrival``."""


class IdentityConfig(NamedTuple):
    """The origins of model, variant and time, which every format needs.

    ``expose_names``: dead letters may show the names of unknown models.
    """

    model: NameConfig
    variant: NameConfig
    time: TimeConfig
    expose_names: bool = False


class Format(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a format.

    The fields of a subclass are the keys in the configuration file, its docstring describes them in
    the JSON schema, and ``tag`` is its ``type``. ``time_path`` is the default path of the event
    time.
    """

    time_path: ClassVar[str]

    def named_columns(self) -> dict[str, Collection[str]]:
        """Return the columns that keys of this format name, by key.

        Each must be a column of some model; the check of a configuration reports the others.
        """
        return {}

    def in_folder(self, folder: Path) -> Self:
        """Return the same configuration with relative paths resolved against ``folder``."""
        return self

    def check(self) -> list[Fault]:
        """Return the faults in the keys of this format, for ``driftline check`` and the start."""
        return []

    def has_id(self, which: str) -> bool:
        """Return whether events have the id ``event_id`` or ``inference_id``, for ``dedupe``."""
        return True

    def schema(
        self, outputs: Sequence[str], inputs: Sequence[str], types: dict[str, ColumnType]
    ) -> Schema:
        """Return the schema of a model with these columns, as the decoder needs it.

        ``types`` has the type of each column. Called for each model whenever the layouts change.
        """
        return Schema(tuple(outputs), tuple(inputs), types)

    def open(self, identity: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """Return a decoder for the models of a plan; called again when a layout changes."""
        raise NotImplementedError
