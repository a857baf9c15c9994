"""Label formats with planted faults: each is found by the law of the contract that it breaks.

Run by ``test_planted_faults.py``; the name of this file keeps pytest from collecting it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stream.events import RawBatch
from stream.labels.base import DecodedLabels, LabelDecoder, LabelFormat
from stream.labels.formats.json import JsonLabels
from stream.testing.label_format import LabelFormatContract, LabelFormatRig
from tests.contract.test_label_formats import JsonRig

FOUND_BY: dict[str, str] = {
    "TestRaisingLabels": "test_no_content_of_a_record_raises_and_each_has_one_outcome",
    "TestLostRejection": "test_a_bad_record_is_rejected_for_its_reason_and_its_neighbours_are_not",
    "TestReversedRows": "test_a_list_has_a_label_for_each_row_in_order",
    "TestNumbersAsTexts": "test_values_are_in_their_plain_form",
    "TestBatchesApart": "test_batches_of_any_size_have_the_same_labels",
    "TestShownId": "test_no_detail_shows_an_id_or_a_label",
}
"""Class of a planted fault -> the law that finds it."""


class PlantedLabels(JsonLabels, frozen=True, kw_only=True, tag="planted"):
    """Objects of JSON, as format json reads them."""

    fault: str

    def open(self) -> LabelDecoder:  # type: ignore[override]  # another decoder
        return PlantedDecoder(super().open(), self.fault)


class PlantedDecoder:
    """Decodes as format json does, with a fault."""

    def __init__(self, inner: LabelDecoder, fault: str) -> None:
        self._inner = inner
        self._fault = fault

    def decode(self, raws: Sequence[RawBatch]) -> DecodedLabels:
        if self._fault == "raises" and any(b"\x00" in (v or b"") for r in raws for v in r.values):
            raise ValueError
        decoded = self._inner.decode(raws)
        match self._fault:
            case "lost rejection":
                return decoded._replace(rejects=decoded.rejects[1:])
            case "reversed rows":
                rows = [v[::-1] if isinstance(v, list) else v for v in decoded.values]
                return decoded._replace(values=rows)
            case "numbers as texts":
                texts = [str(v) if isinstance(v, float) else v for v in decoded.values]
                return decoded._replace(values=list(texts))
            case "batches apart":
                times = [len(raws)] * len(decoded.times_ms)
                return decoded._replace(times_ms=times)
            case "shown id":
                shown = [r._replace(detail=str(raws[0].values[r.record])) for r in decoded.rejects]
                return decoded._replace(rejects=shown)
        return decoded


class PlantedContract(LabelFormatContract):
    fault: str

    @pytest.fixture
    def rig(self) -> LabelFormatRig:
        fault = self.fault

        class Planted(JsonRig):
            def format(self) -> LabelFormat:
                return PlantedLabels(label="outcome.paid", fault=fault)

        return Planted()


class TestRaisingLabels(PlantedContract):
    fault = "raises"


class TestLostRejection(PlantedContract):
    fault = "lost rejection"


class TestReversedRows(PlantedContract):
    fault = "reversed rows"


class TestNumbersAsTexts(PlantedContract):
    fault = "numbers as texts"


class TestBatchesApart(PlantedContract):
    fault = "batches apart"


class TestShownId(PlantedContract):
    fault = "shown id"
