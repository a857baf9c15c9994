"""Format ``sagemaker``: capture lines of a SageMaker endpoint (data capture, one JSON object an invocation).

Each side of an invocation (``endpointOutput``, ``endpointInput``) is a payload with an encoding of its own: ``CSV``, ``JSON``
or ``BASE64`` of either, in any mix, with one row or several. What is read of the envelope: ``captureData.*.data``,
``encoding`` (and ``observedContentType`` for base64), ``eventMetadata.eventId``, ``inferenceId`` and the event time;
everything else in a line may be what it likes.

A side that a record does not have (an endpoint may capture one of the two) has no columns in its batch. A side that the
schema has no columns for is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.captures import NOTHING, CaptureTable, Event, read_event
from stream.events import Decoded, ModelKey, RawBatch, Reject
from stream.formats.base import Decoder, Format, Origin, Plan, TimeOf
from stream.origins import MISSING_MS, ModelsOf, Records, dig, event_times
from stream.payloads import Malformed, Shape, load_json

TIME_PATH: Final = "eventMetadata.inferenceTime"


class SageMaker(Format, frozen=True, tag="sagemaker"):
    """Capture lines as SageMaker writes them.

    CSV payloads are read by position: the columns of a side in the schema's order. With ``header: true`` the first row of
    every CSV payload names its columns; columns that it does not name are missing. JSON payloads hold one document or one
    a line; ``output_rows`` and ``input_rows`` are dotted paths to the rows in a document (``instances``, ``predictions``;
    empty: the document itself). There, a list of lists or objects is a row each, a list of plain values is one row (or,
    for a side of one column, a row each), an object is one row. Lists are read by position; in an object a column lies
    under its own name, or at a dotted path: ``columns`` maps names to paths where they differ.
    """

    output_rows: str = ""
    input_rows: str = ""
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    header: bool = False

    def open(self, origin: Origin, plan: Plan) -> Decoder:
        """A decoder for the schemas of this plan."""
        return CaptureDecoder(self, origin, plan)

    def shape(self, names: tuple[str, ...], rows: str) -> Shape:
        """What a side with these columns holds."""
        paths = {name: tuple(self.columns.get(name, name).split(".")) for name in names}
        return Shape(names, tuple(rows.split(".")) if rows else (), paths, self.header)


class CaptureDecoder:
    """Decodes capture lines: most of them many at once, the rest one by one, with the same result."""

    def __init__(self, form: SageMaker, origin: Origin, plan: Plan) -> None:
        self._line = msgspec.json.Decoder(Event)
        self._time = TimeOf(origin.time.path or TIME_PATH, origin.time.unit, origin.time.missing)
        self._models = ModelsOf(origin, plan)
        self._plan = plan
        self._tables = [
            CaptureTable(s, schema, (form.shape(schema.outputs, form.output_rows), form.shape(schema.inputs, form.input_rows)))
            for s, schema in enumerate(plan.schemas)
        ]

    def decode(self, raws: Sequence[RawBatch]) -> Decoded:
        """Reasons of rejection, the first that holds: ``tombstone``, ``undecodable``, ``not_an_object``, ``wrong_type`` (in the
        envelope), ``time_missing``, ``time_absurd``, ``unknown_model``, ``payload_missing`` (no side that is needed), then
        for the answer and after it for the request ``unknown_encoding`` or ``undecodable`` (base64), then likewise
        ``undecodable`` (JSON), ``wrong_type``, ``column_count``, ``row_count`` (no row), and last ``row_count`` if the
        sides differ.
        """
        records = Records(raws)
        rejects: dict[int, str] = {}
        events = self._events(records.values, rejects)
        times = self._times(events, records, rejects)
        model, keys = self._models_of(records, rejects)
        batches = [
            batch
            for table, members in self._by_schema(model, keys)
            for batch in table.read(members, events, records.values, rejects)
        ]
        lost = np.fromiter(rejects, np.int64, len(rejects))
        times[lost], model[lost] = -1, -1
        told = [Reject(i, rejects[i]) for i in sorted(rejects)]
        metadata = [event.eventMetadata for event in events]
        event_ids, inference_ids = [m.eventId for m in metadata], [m.inferenceId for m in metadata]
        return Decoded(times, model, keys, batches, told, event_ids, inference_ids)

    def _events(self, values: Iterable[bytes | None], rejects: dict[int, str]) -> list[Event]:
        decode = self._line.decode
        events: list[Event] = []
        add = events.append
        for value in values:
            try:
                add(decode(value))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                try:
                    add(read_event(value))
                except Malformed as problem:
                    rejects[len(events)] = problem.reason
                    add(NOTHING)
        return events

    def _times(self, events: list[Event], records: Records, rejects: dict[int, str]) -> NDArray[np.int64]:
        if self._time.path == TIME_PATH:
            found: list[object] = [event.eventMetadata.inferenceTime for event in events]
        else:
            parts = self._time.path.split(".")
            found = [None if i in rejects else dig(load_json(v or b""), parts) for i, v in enumerate(records.values)]
        times = event_times(found, self._time, records.arrival_ms)
        for i in np.flatnonzero(times < 0).tolist():
            rejects.setdefault(i, "time_missing" if times[i] == MISSING_MS else "time_absurd")
        return times

    def _models_of(self, records: Records, rejects: dict[int, str]) -> tuple[NDArray[np.int32], list[ModelKey]]:
        wanted = np.ones(len(records.values), bool)
        wanted[list(rejects)] = False
        model, keys = self._models.of(records, lambda i: load_json(records.values[i] or b""), wanted)
        for i in np.flatnonzero(wanted & (model < 0)).tolist():
            rejects[i] = "unknown_model"
        model[~wanted] = -1
        return model, keys

    def _by_schema(self, model: NDArray[np.int32], keys: list[ModelKey]) -> Iterator[tuple[CaptureTable, NDArray[np.int64]]]:
        if not keys:
            return
        schema_of = np.array([self._plan.models[key.model] for key in keys])
        schema = np.where(model < 0, -1, schema_of[model])
        for s in np.unique(schema_of).tolist():
            yield self._tables[s], np.flatnonzero(schema == s)
