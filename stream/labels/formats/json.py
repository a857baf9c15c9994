"""Label format ``json``: JSON objects with the id, the label and its time at dotted paths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Final

import msgspec

from stream.events import RawBatch
from stream.formats.base import TimeConfig
from stream.formats.path_columns import PathColumns
from stream.labels.base import DecodedLabels, LabelFormat
from stream.labels.columns import (
    Faults,
    decoded,
    explain_missing,
    read_ids,
    read_labels,
    read_times,
)

DEFAULT_TIME_PATH: Final = "time"
DottedPath = Annotated[str, msgspec.Meta(min_length=1)]


class JsonLabels(LabelFormat, frozen=True, tag="json"):
    """JSON objects, one per record, with ``id`` and ``label`` at dotted paths."""

    id: DottedPath = "id"
    """The dotted path of the id: a text, or a whole number, which is read as its digits."""
    label: DottedPath = "label"
    """The dotted path of the label: a number, a text, true or false; or a list of these with one
    entry for each row of the event.
    """
    time: TimeConfig | None = None
    """Where the time of the label is, ``time`` if no ``path`` is given; without this key the time
    at which Kafka or Kinesis took the record; labels of files have none then.
    """

    def open(self) -> JsonLabelDecoder:
        """Return a decoder."""
        return JsonLabelDecoder(self)


class JsonLabelDecoder:
    """Decodes labels in JSON, as columns."""

    def __init__(self, config: JsonLabels) -> None:
        self._time = config.time
        time_path = config.time.path or DEFAULT_TIME_PATH if config.time else ""
        self._id, self._label, self._time_path = (
            tuple(path.split(".")) for path in (config.id, config.label, time_path)
        )
        paths = [self._id, self._label, *([self._time_path] if config.time else [])]
        self._columns = PathColumns(paths)

    def decode(self, raws: Sequence[RawBatch]) -> DecodedLabels:
        """Decode the records of all batches."""
        values = list(chain.from_iterable(raw.values for raw in raws))
        faults: Faults = {}
        documents = self._columns.decode(values, faults)
        ids, labels, *times = self._columns.columns(documents, len(values))
        known_ids = read_ids(ids, faults)
        known_labels = read_labels(labels, faults)
        times_ms = [-1] * len(values)
        if self._time is not None:
            times_ms = read_times(times[0], self._time, faults)
        explain_missing(faults, "id_missing", self._id, values)
        explain_missing(faults, "label_missing", self._label, values)
        explain_missing(faults, "time_missing", self._time_path, values)
        return decoded(known_ids, known_labels, times_ms, faults)
