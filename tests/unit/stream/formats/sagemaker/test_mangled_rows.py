"""A row that pandas took for a header is a dead letter, and a row for SageMaker's reading."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detectors.profiles.columns import Numbers
from stream.events import DecodedRecords
from stream.formats.base import (
    ColumnType,
    DecodingPlan,
    IdentityConfig,
    NameConfig,
    Schema,
    TimeConfig,
)
from stream.formats.sagemaker.format import Sagemaker
from stream.testing.records import raw_batch

INPUTS = tuple(f"x{k}" for k in range(30))
TYPES = {"p": ColumnType("float"), **{name: ColumnType("int") for name in INPUTS}}
SCHEMA = Schema(("p",), INPUTS, TYPES)
MANGLED = ",".join(["7", "0", *(f"0.{k}" for k in range(1, 29))])
ROW = ",".join(["7", "1", *["0"] * 28])


def capture(request: str, encoding: str = "CSV") -> bytes:
    sides = {"endpointOutput": "0.5", "endpointInput": request}
    data = {side: {"data": text, "encoding": encoding} for side, text in sides.items()}
    metadata = {"inferenceTime": "2025-06-15T15:06:40Z"}
    return json.dumps({"captureData": data, "eventMetadata": metadata}).encode()


def decode(
    requests: list[str], form: Sagemaker | None = None, names_count: bool = False
) -> DecodedRecords:
    identity = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    plan = DecodingPlan((SCHEMA,), {"m": 0}, names_count)
    decoder = (form or Sagemaker()).open(identity, plan)
    return decoder.decode([raw_batch([capture(request) for request in requests])])


def outcome(decoded: DecodedRecords) -> tuple[dict[int, str], list[int]]:
    """The reasons of the rejected records, and the record of each row."""
    counted = sorted(r for batch in decoded.batches for r in batch.record.tolist())
    return {reject.record: reject.reason for reject in decoded.rejects}, counted


@pytest.mark.parametrize("form", [Sagemaker(), Sagemaker(header=True)])
@pytest.mark.parametrize("others", [0, 1, 300])
def test_the_row_is_a_dead_letter_among_any_number_of_others(form: Sagemaker, others: int) -> None:
    decoded = decode([*[ROW] * others, MANGLED, *[ROW] * others], form)
    assert outcome(decoded) == (
        {others: "header_row"},
        [*range(others), *range(others + 1, 2 * others + 1)],
    )
    assert decoded.rejects[0].detail == (
        "first row of the request: equal values are counted, as pandas does with names"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (MANGLED + "\n", "header_row"),
        (MANGLED + "\r\n", "header_row"),
        (MANGLED + "\n" + ROW, "header_row"),
        (ROW + "\n" + MANGLED, "row_count"),
        (",".join(f'"{cell}"' for cell in MANGLED.split(",")), "header_row"),
        (MANGLED.replace("0.5", "5"), None),
        (MANGLED + ",9", "header_row"),
        (",".join(INPUTS), "header_row"),
    ],
)
def test_only_the_first_row_of_a_payload_can_hold_names(text: str, reason: str | None) -> None:
    for others in (0, 250):
        reasons, _ = outcome(decode([text, *[ROW] * others]))
        assert reasons == ({0: reason} if reason else {})


def test_a_row_of_names_counts_for_the_reading_of_sagemaker() -> None:
    decoded = decode([MANGLED, ROW, ",".join(INPUTS)], names_count=True)
    assert outcome(decoded) == ({}, [0, 1, 2])
    read: dict[int, float] = {}
    for batch in decoded.batches:
        column = batch.columns["x2"]
        assert isinstance(column, Numbers)
        read.update(zip(batch.record.tolist(), column.values.tolist(), strict=True))
    assert (read[0], read[1]) == (0.1, 0.0)
    assert np.isnan(read[2])


def test_narrow_tables_are_not_looked_at() -> None:
    schema = Schema(("p",), INPUTS[:11], TYPES)
    identity = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    decoder = Sagemaker().open(identity, DecodingPlan((schema,), {"m": 0}))
    text = ",".join(f"0.{k}" for k in range(1, 12))
    assert outcome(decoder.decode([raw_batch([capture(text)])])) == ({}, [0])
