"""Captures for the tests of preprocessing scripts, and what a format makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

from detectors.profiles.columns import Numbers, Texts
from stream.events import DecodedRecords
from stream.formats.sagemaker.format import Sagemaker
from stream.testing.format import TIME, decode

DOCUMENTED = """
    def preprocess_handler(inference_record):
        input_data = inference_record.endpoint_input.data
        output_data = inference_record.endpoint_output.data.rstrip("\\n")
        data = output_data + "," + input_data
        return {str(i).zfill(20): d for i, d in enumerate(data.split(","))}
"""
"""The script of the developer guide: columns by position."""


def capture(request: str = "1.5,7,a", response: str = "0.5\n", **metadata: object) -> bytes:
    """A capture of the model of the contract: one output, three inputs."""
    sides = {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": request,
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": response,
            "encoding": "CSV",
        },
    }
    about = {"eventId": "e1", "inferenceId": "i1", "inferenceTime": TIME, **metadata}
    return json.dumps({"captureData": sides, "eventMetadata": about, "eventVersion": "0"}).encode()


def form_with(folder: Path, script: str, limit: str = "1s") -> Sagemaker:
    """The format with this script, in a file of its own."""
    path = folder / f"script_{len(list(folder.iterdir()))}.py"
    path.write_text(dedent(script))
    return Sagemaker(preprocess=str(path), preprocess_limit=limit)


def rejected(decoded: DecodedRecords) -> list[tuple[int, str, str]]:
    """The rejected records, each with its reason and detail."""
    return [(reject.record, reject.reason, reject.detail) for reject in decoded.rejects]


def cells(decoded: DecodedRecords) -> dict[str, list[object]]:
    """The cells of each column, in the order of the rows; missing is ``None``."""
    found: dict[str, list[object]] = {"record": []}
    for batch in decoded.batches:
        found["record"] += batch.record.tolist()
        for name, column in batch.columns.items():
            if isinstance(column, Texts):
                found.setdefault(name, []).extend(column.values.to_pylist())
            else:
                found.setdefault(name, []).extend(_numbers(column))
    return found


def _numbers(column: Numbers) -> list[object]:
    slots = [9] * len(column.values) if column.slots is None else column.slots.tolist()
    return [
        None if slot == 0 else value
        for value, slot in zip(column.values.tolist(), slots, strict=True)
    ]


def decoded_by(form: Sagemaker, *records: bytes) -> DecodedRecords:
    """The decoded records."""
    return decode(form, records)
