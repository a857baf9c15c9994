"""The contract of a label format: bytes become ids, labels and times.

A label format is one file, whose name is its ``type`` in the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from stream.events import RawBatch, Rejection

LabelValue = float | str | bool
"""One label as it was written: a number, a text, or true or false."""


class DecodedLabels(NamedTuple):
    """Labels of some records, as columns.

    ``record`` is the index of each label's record, rising. ``ids`` are the ids of the events that
    the labels belong to. ``values`` holds one value for an event of one row, and a list with one
    value for each row of an event of several, as :func:`stream.labels.values.label_of` returns
    them: numbers are finite, and a text is no number. ``times_ms`` is the time that a label states,
    -1 where it states none. Each record is either in ``record`` or in ``rejects``, once.
    """

    record: list[int]
    ids: list[str]
    values: list[LabelValue | list[LabelValue]]
    times_ms: list[int]
    rejects: list[Rejection]


class LabelDecoder(Protocol):
    """The running half of a label format."""

    def decode(self, raws: Sequence[RawBatch]) -> DecodedLabels:
        """Decode the records of all batches, numbered consecutively in the order given.

        Must not raise for any content of a record, and must not block. Nothing that is kept between
        calls changes a result.
        """


class LabelFormat(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """Base of the configuration of a label format.

    The fields of a subclass are the keys in the configuration file, its docstring describes them in
    the JSON schema, and ``tag`` is its ``type``.
    """

    def open(self) -> LabelDecoder:
        """Return a decoder."""
        raise NotImplementedError
