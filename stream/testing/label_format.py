"""The contract of a label format: the laws of its decoded labels and rejects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec
import pytest

from stream.labels.base import DecodedLabels, LabelFormat, LabelValue
from stream.labels.values import LONGEST_ID_BYTES, label_of
from stream.outcomes import ADVICE
from stream.testing.configuration import ConfigurationContract
from stream.testing.records import raw_batch

GARBAGE: Sequence[bytes | None] = (
    None,
    b"",
    b"\xff\xfe",
    b"\x00" * 64,
    b"{",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"a": "\\ud800"}',
    b'{"a": 1e999}',
    ('{"a": ' + "9" * 5_000 + "}").encode(),
)
"""Records that no label format can read."""


class LabelFormatRig(Protocol):
    """A label format, and records in it that are good, or bad for a reason."""

    def format(self) -> LabelFormat:
        """The configuration of the format."""

    def good(self, id_: str = "e1", label: LabelValue | list[LabelValue] = 1.0) -> bytes:
        """A record with this id and label."""

    def bad(self) -> Sequence[tuple[str, bytes | None]]:
        """Reasons of :data:`stream.outcomes.ADVICE`, each with a record rejected for it."""


def decode(form: LabelFormat, values: Sequence[bytes | None]) -> DecodedLabels:
    """Decode records that arrived in one batch."""
    return form.open().decode([raw_batch(values)])


class LabelFormatContract(ConfigurationContract):
    """The laws of a label format. A subclass overrides the fixture ``rig``::

    from stream.testing.label_format import LabelFormatContract, LabelFormatRig


    class PipesRig:
        def format(self):
            return Pipes()

        def good(self, id_="e1", label=1.0):
            return f"{id_}|{label}".encode()

        def bad(self):
            return [("id_missing", b"|1"), ("undecodable", b"\\xff")]


    class TestPipes(LabelFormatContract):
        @pytest.fixture
        def rig(self) -> LabelFormatRig:
            return PipesRig()
    """

    package: ClassVar = "stream.labels.formats"
    base: ClassVar = LabelFormat
    group: ClassVar = "driftline.label_formats"

    @pytest.fixture
    def rig(self) -> LabelFormatRig:
        """The label format under test, and its records."""
        raise NotImplementedError("override the fixture rig")

    @pytest.fixture
    def configuration(self, rig: LabelFormatRig) -> msgspec.Struct:
        """The configuration under test."""
        return rig.format()

    def test_a_good_record_has_its_id_and_its_label(self, rig: LabelFormatRig) -> None:
        decoded = decode(rig.format(), [rig.good("a", 1.0), rig.good("b", "fraud")])
        assert (decoded.record, decoded.ids) == ([0, 1], ["a", "b"])
        assert decoded.values == [1.0, "fraud"]
        assert decoded.rejects == []

    def test_a_list_has_a_label_for_each_row_in_order(self, rig: LabelFormatRig) -> None:
        decoded = decode(rig.format(), [rig.good("a", [3.0, 1.0, 2.0])])
        assert decoded.values == [[3.0, 1.0, 2.0]]

    def test_the_longest_id_is_read_and_a_longer_one_is_not(self, rig: LabelFormatRig) -> None:
        ids = ["x" * LONGEST_ID_BYTES, "x" * (LONGEST_ID_BYTES + 1)]
        decoded = decode(rig.format(), [rig.good(id_) for id_ in ids])
        assert decoded.ids == ids[:1]
        assert [(r.record, r.reason) for r in decoded.rejects] == [(1, "id_too_long")]

    def test_a_bad_record_is_rejected_for_its_reason_and_its_neighbours_are_not(
        self, rig: LabelFormatRig
    ) -> None:
        bad = rig.bad()
        assert bad
        for reason, record in bad:
            assert ADVICE[reason]
            decoded = decode(rig.format(), [rig.good("a"), record, rig.good("b")])
            assert [(r.record, r.reason) for r in decoded.rejects] == [(1, reason)], record
            assert (decoded.record, decoded.ids) == ([0, 2], ["a", "b"])

    def test_no_content_of_a_record_raises_and_each_has_one_outcome(
        self, rig: LabelFormatRig
    ) -> None:
        good = rig.good()
        cut = [good[:k] for k in range(0, len(good), 3)]
        values = [*GARBAGE, *cut, good]
        decoded = decode(rig.format(), values)
        outcomes = [*decoded.record, *(reject.record for reject in decoded.rejects)]
        assert sorted(outcomes) == list(range(len(values)))
        assert decoded.record == sorted(decoded.record)
        assert decoded.record[-1] == len(values) - 1

    def test_values_are_in_their_plain_form(self, rig: LabelFormatRig) -> None:
        """Numbers are finite, and a text is not empty and no number."""
        labels: list[LabelValue | list[LabelValue]] = [7.0, "7", " a ", "1.50", [1.0, 0.0]]
        decoded = decode(rig.format(), [rig.good("e", label) for label in labels])
        assert decoded.values == [7.0, 7.0, "a", 1.5, [1.0, 0.0]]
        for value in decoded.values:
            assert label_of(value) == value
            assert not isinstance(value, float) or math.isfinite(value)

    def test_batches_of_any_size_have_the_same_labels(self, rig: LabelFormatRig) -> None:
        bad = [record for _, record in rig.bad()]
        values = [rig.good("a"), *bad, rig.good("b", "x"), rig.good("c", [1.0, 2.0])]
        whole = decode(rig.format(), values)
        decoder = rig.format().open()
        singles = [decoder.decode([raw_batch([value])]) for value in values]
        assert [id_ for part in singles for id_ in part.ids] == whole.ids
        assert [value for part in singles for value in part.values] == whole.values
        assert [t for part in singles for t in part.times_ms] == whole.times_ms
        assert [r.reason for part in singles for r in part.rejects] == [
            reject.reason for reject in whole.rejects
        ]
        split = rig.format().open().decode([raw_batch(values[:2]), raw_batch(values[2:])])
        assert split == whole

    def test_nothing_is_decoded_from_no_records(self, rig: LabelFormatRig) -> None:
        assert rig.format().open().decode([]) == ([], [], [], [], [])

    def test_no_detail_shows_an_id_or_a_label(self, rig: LabelFormatRig) -> None:
        secret = "s3cr3t" * 200
        decoded = decode(rig.format(), [rig.good(secret), rig.good("e", secret)])
        assert len(decoded.rejects) == 2
        assert not [reject for reject in decoded.rejects if "s3cr3t" in reject.detail]
