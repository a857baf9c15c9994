"""Requests and responses as capture files, in the format of SageMaker's data capture."""

from __future__ import annotations

import io
import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from demo.flights import LABEL, Flights

ENDPOINT = "flights"
VARIANT = "AllTraffic"


def capture_lines(
    flights: Flights, predicted: NDArray[np.float64], first_id: int, epoch_ms: int
) -> list[str]:
    """A capture line for each flight: request and response as CSV, ids, time in whole seconds.

    ``inferenceId`` counts the flights from ``first_id``; ``eventId`` is a UUID derived from it, so
    that every replay writes the same bytes. ``epoch_ms`` is the time at which the replay starts.
    """
    rows = _csv_rows(flights.features)
    predictions = predicted.tolist()
    times = [iso_time(epoch_ms + ms) for ms in flights.time_ms.tolist()]
    return [
        _capture_line(row, prediction, number, time)
        for number, (row, prediction, time) in enumerate(
            zip(rows, predictions, times, strict=True), first_id
        )
    ]


def _capture_line(row: str, prediction: float, number: int, time: str) -> str:
    request = f'"observedContentType":"text/csv","mode":"INPUT","data":{json.dumps(row)}'
    response = (
        f'"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT","data":"{prediction}"'
    )
    metadata = f'"eventId":"{_event_id(number)}","inferenceId":"{number}","inferenceTime":"{time}"'
    return (
        f'{{"captureData":{{"endpointInput":{{{request},"encoding":"CSV"}},'
        f'"endpointOutput":{{{response},"encoding":"CSV"}}}},'
        f'"eventMetadata":{{{metadata}}},"eventVersion":"0"}}\n'
    )


def write_capture_file(folder: Path, lines: list[str], time_ms: int) -> Path:
    """Write ``endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl`` for the time ``time_ms``.

    The file appears with all of its lines, as an object in S3 does.
    """
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    name = f"{at:%M-%S}-{time_ms % 1000:03d}-{_event_id(time_ms)}.jsonl"
    path = folder / ENDPOINT / VARIANT / f"{at:%Y/%m/%d/%H}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text("".join(lines), encoding="utf-8")
    os.replace(unfinished, path)
    return path


def write_held_out_file(path: Path, flights: Flights, predicted: NDArray[np.float64]) -> None:
    """Write a CSV file with a header: the model's prediction and the true delay of each flight."""
    pa.csv.write_csv(pa.table([predicted, flights.label], ["prediction", LABEL]), path)


def write_training_file(path: Path, flights: Flights, predicted: NDArray[np.float64]) -> None:
    """Write a CSV file with a header: the model's prediction first, then the features, which is the
    column order of a capture.
    """
    table = flights.features.add_column(0, "prediction", pa.chunked_array([pa.array(predicted)]))
    pa.csv.write_csv(table, path)


def _csv_rows(table: pa.Table) -> list[str]:
    buffer = io.BytesIO()
    pa.csv.write_csv(table, buffer, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    return buffer.getvalue().decode().splitlines()


def _event_id(number: int) -> str:
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC834) % (1 << 128), version=4))


def iso_time(time_ms: int) -> str:
    """A time in UTC as ISO 8601, in whole seconds, ``2026-01-05T06:20:00Z``."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
