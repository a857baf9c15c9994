"""The contract of a format: the laws of its decoded records and rejects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import numpy as np
import pytest
from msgspec.structs import replace

from detectors.profiles.columns import Numbers, Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature, Layout
from stream.events import DecodedRecords, RawBatch
from stream.formats.base import (
    ColumnType,
    DecodingPlan,
    Format,
    IdentityConfig,
    NameConfig,
    Schema,
    TimeConfig,
)
from stream.outcomes import ADVICE
from stream.testing.configuration import ConfigurationContract
from stream.testing.records import raw_batch

TIME = "2025-06-15T15:06:40Z"
"""The event time of a good record."""
TIME_MS = 1_750_000_000_000
"""The same, in milliseconds since 1970."""
FLOAT, INT, TEXT = ColumnType("float"), ColumnType("int"), ColumnType("text")
SCHEMA = Schema(("p",), ("x", "n", "t"), {"p": FLOAT, "x": FLOAT, "n": INT, "t": TEXT})
"""The columns of model ``m``: one output, and three inputs."""
PLAN = DecodingPlan((SCHEMA,), {"m": 0})
LAYOUT = Layout(
    (
        Feature(name="p", type="Fractional", kind="grid", edges=(0.0, 1.0), cells=(0, 1, 2)),
        Feature(name="x", type="Fractional", kind="grid", edges=(0.0, 1.0), cells=(0, 1, 2)),
        Feature(name="n", type="Integral", kind="grid", edges=(0.0, 5.0), cells=(0, 1, 2)),
        Feature(name="t", type="String", kind="text", vocabulary=("a", "b")),
    )
)
HEADERS: list[tuple[str, bytes | None]] = [("model", b"other"), ("model", b"m")]
SOURCES_OF_MODEL: tuple[tuple[NameConfig, Callable[[RawBatch], RawBatch]], ...] = (
    (NameConfig(source="topic"), lambda batch: replace(batch, origin="m")),
    (
        NameConfig(source="file", name=r"captures/(\w+)/"),
        lambda batch: replace(batch, origin="captures/m/2025/x.jsonl"),
    ),
    (NameConfig(source="header", name="model"), lambda batch: replace(batch, headers=[HEADERS])),
    (NameConfig(source="key"), lambda batch: replace(batch, keys=[b"m"])),
)
"""Where the name of the model may be outside of the record, and a batch that has it there."""


class FormatRig(Protocol):
    """A format, and records in it that are good, or bad for a reason."""

    def format(self) -> Format:
        """The configuration of the format; it reads event id and inference id where it can."""

    def good(self, time: str = TIME) -> bytes:
        """A record of one row: ``p`` 0.5, ``x`` 1.5, ``n`` 7, ``t`` "a", at this time (ISO 8601).

        Its event id is ``e1``, its inference id ``i1``; both are left out if the format has none.
        """

    def undated(self) -> bytes:
        """The good record without its time."""

    def malformed(self) -> bytes:
        """The good record with columns that cannot be read; its time can."""

    def bad(self) -> Sequence[tuple[str, bytes | None]]:
        """Reasons of :data:`stream.outcomes.ADVICE`, each with a record rejected for it."""


def identity(model: NameConfig | None = None, time: TimeConfig | None = None) -> IdentityConfig:
    """Model ``m`` and variant ``v`` for all records, and the time where the format expects it."""
    return IdentityConfig(model or NameConfig(name="m"), NameConfig(name="v"), time or TimeConfig())


def decode(
    form: Format, values: Sequence[bytes | None], config: IdentityConfig | None = None
) -> DecodedRecords:
    """Decode records that arrived in one batch."""
    return form.open(config or identity(), PLAN).decode([raw_batch(values)])


def counts(decoded: DecodedRecords) -> list[int]:
    """The counts of all accepted rows under :data:`LAYOUT`."""
    total = np.zeros(LAYOUT.size, np.int64)
    for batch in decoded.batches:
        total += fold(LAYOUT, batch.columns).counts
    return [int(count) for count in total]


class FormatContract(ConfigurationContract):
    """The laws of a format. A subclass overrides the fixture ``rig``::

        from stream.testing.format import TIME, FormatContract, FormatRig


        class PipesRig:
            def format(self):
                return Pipes()

            def good(self, time=TIME):
                return f"{time}|e1|i1|0.5|1.5|7|a".encode()

            def undated(self):
                return b"|e1|i1|0.5|1.5|7|a"

            def malformed(self):
                return f"{TIME}|e1|i1|0.5".encode()

            def bad(self):
                return [("too_few_columns", self.malformed()), ("undecodable", b"\\xff")]


        class TestPipes(FormatContract):
            @pytest.fixture
            def rig(self) -> FormatRig:
                return PipesRig()

    Records that the format must reject for special reasons belong into ``bad``: the more, the
    better.
    """

    package: ClassVar = "stream.formats"
    base: ClassVar = Format
    group: ClassVar = "driftline.formats"

    @pytest.fixture
    def rig(self) -> FormatRig:
        """The format under test, and its records."""
        raise NotImplementedError("override the fixture rig")

    @pytest.fixture
    def configuration(self, rig: FormatRig) -> Format:
        return rig.format()

    def test_its_schema_keeps_every_column_with_its_type(self, rig: FormatRig) -> None:
        schema = rig.format().schema(SCHEMA.outputs, SCHEMA.inputs, SCHEMA.types)
        assert set(schema.outputs) == set(SCHEMA.outputs)
        assert set(schema.inputs) == set(SCHEMA.inputs)
        assert schema.types == SCHEMA.types

    def test_a_bad_record_is_rejected_once_with_a_reason_and_changes_no_count(
        self, rig: FormatRig
    ) -> None:
        good = rig.good()
        of_good_records = counts(decode(rig.format(), [good, good]))
        for reason, bad in (("tombstone", None), *rig.bad()):
            assert ADVICE[reason]
            decoded = decode(rig.format(), [good, bad, good])
            rejected = [(reject.record, reject.reason) for reject in decoded.rejects]
            assert rejected == [(1, reason)], bad
            assert decoded.time_ms[[0, 2]].tolist() == [TIME_MS, TIME_MS]
            assert decoded.model[[0, 2]].tolist() == [0, 0]
            accepted = [record for batch in decoded.batches for record in batch.record.tolist()]
            assert accepted == [0, 2], bad
            assert counts(decoded) == of_good_records, bad

    def test_no_content_of_a_record_raises(self, rig: FormatRig) -> None:
        """Each record is accepted or rejected, and its neighbours are accepted as ever."""
        good, draw = rig.good(), np.random.default_rng(0)
        cut = [good[:length] for length in range(len(good))]
        flipped = [bytes([*good[:i], good[i] ^ 0x80, *good[i + 1 :]]) for i in range(len(good))]
        drawn = [draw.bytes(int(length)) for length in draw.integers(1, 80, 50)]
        for record in (*cut, *flipped, *drawn):
            decoded = decode(rig.format(), [good, record, good])
            rejected = {reject.record for reject in decoded.rejects}
            accepted = {int(row) for batch in decoded.batches for row in batch.record}
            assert accepted | rejected == {0, 1, 2}, record
            assert rejected <= {1}, record
            assert not accepted & rejected, record

    def test_batches_of_any_size_give_the_same_columns(self, rig: FormatRig) -> None:
        records = [rig.good(), None, rig.malformed(), rig.good(), rig.undated(), rig.good()]
        together = decode(rig.format(), records)
        decoder = rig.format().open(identity(), PLAN)
        singly = [decoder.decode([raw_batch([record])]) for record in records]
        assert counts(together) == np.sum([counts(decoded) for decoded in singly], axis=0).tolist()
        assert together.time_ms.tolist() == [int(decoded.time_ms[0]) for decoded in singly]
        reasons = [reject.reason for decoded in singly for reject in decoded.rejects]
        assert [reject.reason for reject in together.rejects] == reasons

    def test_a_rejected_record_keeps_its_event_time_if_that_can_be_read(
        self, rig: FormatRig
    ) -> None:
        """Otherwise a stream of bad payloads would never close a window."""
        arrival = identity(time=TimeConfig(missing="arrival"))
        for value, expected in ((rig.malformed(), (TIME_MS, 0)), (None, (-1, -1))):
            batch = raw_batch([value, rig.good()], arrival_ms=TIME_MS + 9)
            decoded = rig.format().open(arrival, PLAN).decode([batch])
            assert (int(decoded.time_ms[0]), int(decoded.model[0])) == expected
            assert len(decoded.rejects) == 1
        unknown = decode(rig.format(), [rig.good()], identity(NameConfig(source="key")))
        assert (unknown.time_ms.tolist(), unknown.model.tolist()) == ([TIME_MS], [-1])

    def test_a_good_record_yields_its_cells_time_model_and_ids(self, rig: FormatRig) -> None:
        form = rig.format()
        decoded = decode(form, [rig.good()])
        [batch] = decoded.batches
        x, n, t = batch.columns["x"], batch.columns["n"], batch.columns["t"]
        assert isinstance(x, Numbers)
        assert isinstance(n, Numbers)
        assert isinstance(t, Texts)
        assert (x.values.tolist(), n.values.tolist(), t.values.to_pylist()) == ([1.5], [7.0], ["a"])
        assert decoded.keys[decoded.model[0]] == ("m", "v")
        assert decoded.event_ids == ["e1" if form.has_id("event_id") else None]
        assert decoded.inference_ids == ["i1" if form.has_id("inference_id") else None]
        assert not decoded.rejects

    def test_records_keep_their_order_over_several_raw_batches(self, rig: FormatRig) -> None:
        stamps = ("2025-06-15T15:06:41Z", "2025-06-15T15:06:39Z", "2025-06-15T15:06:45Z")
        values = [rig.good(stamp) for stamp in stamps]
        batches = [raw_batch(values[:1]), raw_batch([]), raw_batch([None, *values[1:]])]
        decoded = rig.format().open(identity(), PLAN).decode(batches)
        assert decoded.time_ms.tolist() == [TIME_MS + 1000, -1, TIME_MS - 1000, TIME_MS + 5000]
        assert decoded.batches[0].record.tolist() == [0, 2, 3]

    @pytest.mark.parametrize("values", [(), ([],), ([None],)])
    def test_no_records_decode_to_no_batches(
        self, rig: FormatRig, values: Sequence[list[bytes | None]]
    ) -> None:
        raws = [raw_batch(batch) for batch in values]
        decoded = rig.format().open(identity(), PLAN).decode(raws)
        records = sum(len(batch.values) for batch in raws)
        assert decoded.batches == []
        assert len(decoded.rejects) == len(decoded.time_ms) == records

    def test_an_event_of_an_unknown_model_is_rejected_and_its_neighbours_are_not(
        self, rig: FormatRig
    ) -> None:
        keys: list[bytes | None] = [b"m", b"other", None, b"\xff"]
        batch = replace(raw_batch([rig.good()] * 4), keys=keys)
        by_key = identity(NameConfig(source="key"))
        decoded = rig.format().open(by_key, PLAN).decode([batch])
        rejected = [(reject.record, reject.reason) for reject in decoded.rejects]
        assert rejected == [(1, "unknown_model"), (2, "unknown_model"), (3, "invalid_name")]
        assert decoded.batches[0].record.tolist() == [0]

    @pytest.mark.parametrize(
        ("model", "named"), SOURCES_OF_MODEL, ids=[model.source for model, _ in SOURCES_OF_MODEL]
    )
    def test_the_model_is_read_from_where_the_configuration_says(
        self, rig: FormatRig, model: NameConfig, named: Callable[[RawBatch], RawBatch]
    ) -> None:
        decoder = rig.format().open(identity(model), PLAN)
        decoded = decoder.decode([named(raw_batch([rig.good()]))])
        assert decoded.keys[decoded.model[0]] == ("m", "v")
        unnamed = decoder.decode([raw_batch([rig.good()])])
        assert [reject.reason for reject in unnamed.rejects] == ["unknown_model"]

    def test_a_missing_time_can_be_the_arrival_if_that_is_known(self, rig: FormatRig) -> None:
        arrival = identity(time=TimeConfig(missing="arrival"))
        decoder = rig.format().open(arrival, PLAN)
        known, unknown = raw_batch([rig.undated()], arrival_ms=TIME_MS + 7), [rig.undated()]
        decoded = decoder.decode([known, raw_batch(unknown)])
        assert decoded.time_ms.tolist() == [TIME_MS + 7, -1]
        rejected = [(reject.record, reject.reason) for reject in decoded.rejects]
        assert rejected == [(1, "time_missing")]

    def test_models_with_different_columns_share_a_stream(self, rig: FormatRig) -> None:
        raw_types = Schema((), ("x", "n", "t"), {"x": ColumnType("raw"), "n": FLOAT, "t": TEXT})
        plan = DecodingPlan((SCHEMA, raw_types), {"m": 0, "w": 1})
        batch = replace(raw_batch([rig.good()] * 4), keys=[b"m", b"w", b"u", b"w"])
        decoded = rig.format().open(identity(NameConfig(source="key")), plan).decode([batch])
        members = {part.schema: part.record.tolist() for part in decoded.batches}
        assert members == {0: [0], 1: [1, 3]}
        [raw_text] = [part.columns["x"] for part in decoded.batches if part.schema == 1]
        assert isinstance(raw_text, Texts)
        assert raw_text.values.to_pylist() == ["1.5", "1.5"]
        assert [reject.record for reject in decoded.rejects] == [2]

    def test_its_docstring_describes_the_records(self, rig: FormatRig) -> None:
        assert len((type(rig.format()).__doc__ or "").split()) > 5
