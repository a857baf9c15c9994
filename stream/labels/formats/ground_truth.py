"""Label format ``ground_truth``: the lines that SageMaker Model Monitor merges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from stream.events import RawBatch
from stream.formats.faults import MalformedRecord
from stream.formats.path_columns import PathColumns
from stream.formats.rows import decode_payload
from stream.labels.base import DecodedLabels, LabelFormat, LabelValue
from stream.labels.columns import (
    Faults,
    decoded,
    each,
    each_distinct,
    explain_missing,
    read_ids,
)
from stream.labels.values import label_of, label_of_csv, label_of_json

ID_PATH: Final = ("eventMetadata", "eventId")
DATA_PATH: Final = ("groundTruthData", "data")
ENCODING_PATH: Final = ("groundTruthData", "encoding")


class GroundTruth(LabelFormat, frozen=True, tag="ground_truth"):
    """Ground truth of SageMaker Model Monitor, one JSON object per record.

    ``eventMetadata.eventId`` is the id, ``groundTruthData.data`` the label in its ``encoding``:
    ``CSV`` with the label of each row of the event on its own line, ``JSON`` with a value, a list
    of one for each row, or an object whose single key holds them, or ``BASE64`` of one of these.
    Lines that SageMaker merged, which also hold the capture, are read too. The lines state no time
    of the label: it is the time at which the log took them.
    """

    def open(self) -> GroundTruthDecoder:
        """Return a decoder."""
        return GroundTruthDecoder()


class GroundTruthDecoder:
    """Decodes ground truth: ids and payloads as columns, each distinct payload once."""

    def __init__(self) -> None:
        self._columns = PathColumns([ID_PATH, DATA_PATH, ENCODING_PATH])

    def decode(self, raws: Sequence[RawBatch]) -> DecodedLabels:
        """Decode the records of all batches."""
        values = list(chain.from_iterable(raw.values for raw in raws))
        faults: Faults = {}
        documents = self._columns.decode(values, faults)
        ids, data, encodings = self._columns.columns(documents, len(values))
        known_ids = read_ids(ids, faults)
        labels = _labels(data, encodings, faults)
        explain_missing(faults, "id_missing", ID_PATH, values)
        explain_missing(faults, "label_missing", DATA_PATH, values)
        return decoded(known_ids, labels, [-1] * len(values), faults)


def _labels(data: list[Any], encodings: list[Any], faults: Faults) -> Sequence[Any]:
    if encodings.count("CSV") == len(encodings) and set(map(type, data)) == {str}:
        return each_distinct(data, label_of_csv, faults)
    return each(list(zip(data, encodings, strict=True)), _label, faults)


def _label(payload: tuple[object, object]) -> LabelValue | list[LabelValue]:
    """Return the label in a payload; ``data`` that is no text is the label itself."""
    data, encoding = payload
    if not isinstance(data, str):
        return label_of(data)
    if not isinstance(encoding, str):
        raise MalformedRecord("unknown_encoding", "the label has no encoding")
    text, kind = decode_payload(data, encoding, None, "label")
    return label_of_csv(text) if kind == "CSV" else label_of_json(text)
