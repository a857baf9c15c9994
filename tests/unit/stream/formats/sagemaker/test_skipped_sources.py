"""Captures that are not counted because of their ``invocationSource``."""

from __future__ import annotations

import json

import pytest

from stream.baselining.columns import ModelColumns
from stream.config.renamed_keys import renamed_key
from stream.events import Assign
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.format import LAYOUT, TIME, TIME_MS, decode, identity
from stream.testing.records import raw_batch
from tests.support.records import NoSource, job_settings


def capture(source: object) -> bytes:
    data = {
        "endpointOutput": {"data": "0.5", "encoding": "CSV"},
        "endpointInput": {"data": "1.5,7,a", "encoding": "CSV"},
    }
    metadata = {"inferenceTime": TIME, "invocationSource": source}
    return json.dumps({"captureData": data, "eventMetadata": metadata}).encode()


SOURCES: list[object] = ["ShadowExperiment", None, "Other", ["ShadowExperiment"], 5]


@pytest.mark.parametrize(
    ("form", "skipped"),
    [
        (Sagemaker(), [0]),
        (Sagemaker(skip=()), []),
        (Sagemaker(skip=("Other",)), [2]),
        (Sagemaker(skip=("Other", "ShadowExperiment", "Absent")), [0, 2]),
    ],
)
def test_captures_of_the_sources_to_skip_are_not_counted(
    form: Sagemaker, skipped: list[int]
) -> None:
    decoded = decode(form, [capture(source) for source in SOURCES])
    rejected = [(reject.record, reject.reason) for reject in decoded.rejects]
    assert rejected == [(record, "skipped_source") for record in skipped]
    assert decoded.time_ms.tolist() == [TIME_MS] * len(SOURCES)
    counted = {record for batch in decoded.batches for record in batch.record.tolist()}
    assert counted == set(range(len(SOURCES))) - set(skipped)


def test_a_skipped_capture_is_in_the_ledger_and_is_no_dead_letter() -> None:
    columns = ModelColumns(("p",), ("x", "n", "t"), LAYOUT)
    reader = Reader(NoSource(), Sagemaker(), identity(), job_settings())
    reader.use(ReadingPlan({"m": columns}, Sagemaker()))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    partial = reader.fold([raw_batch([capture(source) for source in SOURCES])])
    [cover] = partial.covers
    assert cover.read == 5
    assert {k: n for k, n in cover.outcomes.items() if n} == {"accepted": 4, "skipped_source": 1}
    assert partial.dead_letters == []


@pytest.mark.parametrize(
    ("old", "current"), [(True, "skip: []"), (False, "skip: [ShadowExperiment]")]
)
def test_the_key_of_a_preview_is_reported_with_its_new_value(old: bool, current: str) -> None:
    fault = renamed_key("format.count_shadow", old)
    assert str(fault) == f"format.count_shadow: renamed; write `{current}`"
