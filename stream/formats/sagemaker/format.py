"""Format ``sagemaker``: capture lines of a SageMaker endpoint.

Data capture writes one JSON object per invocation. Each side of it (``endpointOutput``,
``endpointInput``) is a payload with an encoding of its own: ``CSV``, ``JSON`` or ``BASE64`` of
either, in any mix, with one row or several. Of the envelope only ``captureData.*.data``,
``encoding`` (and ``observedContentType`` for base64), ``eventMetadata.eventId``, ``inferenceId``,
``invocationSource`` and the event time are read; the rest of a line may be anything.

If a record lacks a side (an endpoint may capture one of the two), its batch has no columns of that
side. A side without columns in the schema is not decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, Final, Self

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from stream.events import DecodedRecords, RawBatch
from stream.formats.base import Decoder, DecodingPlan, Format, IdentityConfig, Schema
from stream.formats.faults import MalformedRecord, RecordFault
from stream.formats.identity import IdentityResolver, Records
from stream.formats.json_rows import RowShape
from stream.formats.path_columns import PathColumns
from stream.formats.sagemaker.batches import CaptureTable
from stream.formats.sagemaker.envelope import EMPTY_EVENT, Event, Metadata, read_event
from stream.formats.sagemaker.script.runner import FIRST_S, script_faults, script_of
from stream.formats.sagemaker.script.table import ScriptTable
from stream.outcomes import SKIPPED_SOURCE

SHADOW_SOURCE: Final = "ShadowExperiment"
"""The ``invocationSource`` of a request that was copied to a shadow variant."""
_SHORTEST_S: Final = 0.01
_INVOCATION_SOURCE: Final = attrgetter("invocationSource")


class Sagemaker(Format, frozen=True, tag="sagemaker"):
    """Capture lines as SageMaker writes them.

    CSV payloads are read by position, the columns of a side in the schema's order. With ``header:
    true`` the first row of a CSV payload names its columns, and columns that it does not name are
    missing; a payload without such a row is read by position.

    JSON payloads hold one document, or one per line; ``output_rows`` and ``input_rows`` are dotted
    paths of the rows in a document. There, a list of lists or objects holds one row each; a list of
    plain values is one row (or, for a side of one column, one row each); an object is one row, or
    one for each place in the lists of its columns. Lists are read by position. In an object a
    column is under its own name, or at a dotted path: ``columns`` maps names to paths where they
    differ. Without a path the rows are also found at the usual keys of model servers, such as
    ``instances`` and ``predictions``, and in the layouts of pandas' ``to_json``. ``NaN`` and
    ``Infinity`` are read as such.

    The kind of a BASE64 payload is in its content type; without one it is JSON if it parses as an
    object or a list, else CSV.
    """

    time_path: ClassVar = "eventMetadata.inferenceTime"

    output_rows: str = ""
    """The dotted path of the rows in a JSON response, such as ``predictions``; empty: the document
    itself.
    """
    input_rows: str = ""
    """The dotted path of the rows in a JSON request, such as ``instances``; empty: the document
    itself.
    """
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    """The dotted path of each column that is not under its own name in JSON objects."""
    header: bool = False
    """Whether the first row of a CSV payload names its columns; else they are read by position."""
    skip: tuple[str, ...] = (SHADOW_SOURCE,)
    """The values of ``invocationSource`` whose captures are not counted; ``[]``: all are counted.
    ``ShadowExperiment`` marks the copies that a shadow variant received.
    """

    preprocess: str = ""
    """A Python script with ``preprocess_handler(inference_record)``, as Model Monitor runs it, or
    with ``preprocess_columns(columns)``; empty: none. It turns each capture into rows, in place of
    the rules above.
    """
    preprocess_limit: Duration = "1s"
    """The longest time that the script may take for a record; ``10ms`` to ``5s``."""

    def named_columns(self) -> dict[str, Collection[str]]:
        """Return the columns with a path of their own."""
        return {"columns": self.columns}

    def open(self, identity: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """Return a decoder for the schemas of this plan."""
        decoder = ScriptedDecoder if self.preprocess else CaptureDecoder
        return decoder(self, identity, plan)

    def in_folder(self, folder: Path) -> Self:
        """Return this format with the script's path below ``folder``."""
        if not self.preprocess:
            return self
        return replace(self, preprocess=str(folder / self.preprocess))

    def check(self) -> list[Fault]:
        """Import the script, in a process of its own; check its limit and the keys beside it."""
        if not self.preprocess:
            return []
        unread: dict[str, object] = {"output_rows": self.output_rows, "header": self.header}
        unread["input_rows"] = self.input_rows
        faults = [
            Fault(key, "has no effect beside `preprocess`: remove one of them")
            for key, value in unread.items()
            if value
        ]
        if not _SHORTEST_S <= self.limit_s <= FIRST_S:
            faults.append(Fault("preprocess_limit", "expected 10ms to 5s"))
        return [*faults, *script_faults(self.preprocess)]

    @property
    def limit_s(self) -> float:
        """The longest time that the script may take for a record, in seconds."""
        return duration_ms(self.preprocess_limit) / 1000

    def shape(
        self, side: str, names: tuple[str, ...], rows: str, names_count: bool = False
    ) -> RowShape:
        """Return the shape of a side with these columns, whose rows are at the path ``rows``."""
        path = tuple(rows.split(".")) if rows else ()
        return RowShape(side, names, path, self.columns, self.header, names_count)


class CaptureDecoder:
    """Decodes capture lines: most of them together, the rest one by one, with the same result."""

    def __init__(self, form: Sagemaker, identity: IdentityConfig, plan: DecodingPlan) -> None:
        self._line = msgspec.json.Decoder(Event)
        self._identity = IdentityResolver(identity, plan, form.time_path)
        self._time_in_envelope = self._identity.time.path == form.time_path
        dotted = [] if self._time_in_envelope else [self._identity.time.path]
        paths = [*dotted, *self._identity.paths]
        self._others = PathColumns([tuple(path.split(".")) for path in paths]) if paths else None
        self._form = form
        self._skip = frozenset(form.skip)
        self._names_count = plan.names_count
        self._tables = [self._table(number, schema) for number, schema in enumerate(plan.schemas)]

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Decode the records; a rejected one has the first reason that applies.

        ``tombstone``, ``undecodable``, ``several_objects``, ``not_an_object``, ``wrong_type`` (in
        the envelope), ``time_missing``, ``time_absurd``, ``skipped_source``, ``invalid_name``,
        ``unknown_model``, ``payload_missing`` (no side that is needed); then for the response and
        after it for the request ``unknown_encoding`` or ``undecodable`` (base64); then likewise
        ``undecodable`` (JSON), ``header_row``, ``wrong_type``, ``too_few_columns`` or
        ``too_many_columns`` (of the first row with a wrong width), ``row_count`` (no row); and last
        ``row_count`` if the sides differ.
        """
        records = Records(raws)
        rejects: dict[int, RecordFault] = {}
        events = self._events(records.values, rejects)
        metadata = [event.eventMetadata for event in events]
        others: list[list[object]] = []
        if self._others:
            documents = self._others.decode(records.values, rejects)
            others = self._others.columns(documents, len(records.values))
        times = [m.inferenceTime for m in metadata] if self._time_in_envelope else others.pop(0)
        identified = self._identity.resolve(records, times, others, rejects)
        if self._skip:
            _skip_sources(self._skip, metadata, identified.time_ms, rejects)
        batches = [
            batch
            for s, members in identified.by_schema(rejects)
            for batch in self._tables[s].read(members, events, records.values, rejects)
        ]
        event_ids = [m.eventId for m in metadata]
        inference_ids = [m.inferenceId for m in metadata]
        return identified.decoded(batches, rejects, event_ids, inference_ids)

    def _table(self, number: int, schema: Schema) -> CaptureTable | ScriptTable:
        """Return what builds batches from the records of one schema."""
        form = self._form
        count = self._names_count
        outputs = form.shape("response", schema.outputs, form.output_rows, count)
        inputs = form.shape("request", schema.inputs, form.input_rows, count)
        return CaptureTable(number, schema, (outputs, inputs))

    def _events(
        self, values: Sequence[bytes | None], rejects: dict[int, RecordFault]
    ) -> list[Event]:
        decode = self._line.decode
        with suppress(ValueError, TypeError, RecursionError):
            return [decode(value) for value in values]  # type: ignore[arg-type]  # a tombstone raises
        events: list[Event] = []
        add = events.append
        for value in values:
            try:
                add(decode(value))  # type: ignore[arg-type]
            except (ValueError, TypeError, RecursionError):
                try:
                    add(read_event(value))
                except MalformedRecord as problem:
                    rejects[len(events)] = problem.fault
                    add(EMPTY_EVENT)
        return events


class ScriptedDecoder(CaptureDecoder):
    """Decodes capture lines whose payloads a script turns into rows.

    Instead of the faults of payloads there are ``script_failed``, ``script_timed_out``,
    ``script_result``, ``too_few_columns`` and ``too_many_columns``, and ``dropped_by_script``.
    """

    def __init__(self, form: Sagemaker, identity: IdentityConfig, plan: DecodingPlan) -> None:
        self._script = script_of(form.preprocess, form.limit_s, identity.expose_names)
        super().__init__(form, identity, plan)

    @property
    def on_wait(self) -> Callable[[], object]:
        """What is called while the script runs."""
        return self._script.on_wait

    @on_wait.setter
    def on_wait(self, called: Callable[[], object]) -> None:
        self._script.on_wait = called

    @property
    def most_records(self) -> int:
        """The number of records that the script manages in half a second."""
        return self._script.most_records

    def _table(self, number: int, schema: Schema) -> ScriptTable:
        return ScriptTable(number, schema, self._form.columns, self._script)


def _skip_sources(
    skip: frozenset[str],
    metadata: Sequence[Metadata],
    time_ms: NDArray[np.int64],
    rejects: dict[int, RecordFault],
) -> None:
    """Reject captures from the sources in ``skip`` whose time is known."""
    if any(source in map(_INVOCATION_SOURCE, metadata) for source in skip):
        for i, source in enumerate(map(_INVOCATION_SOURCE, metadata)):
            if isinstance(source, str) and source in skip and (i not in rejects or time_ms[i] >= 0):
                rejects[i] = RecordFault(SKIPPED_SOURCE)
