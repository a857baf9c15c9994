"""Requests and answers as the files that SageMaker's data capture writes."""

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

from demo.flights import Flights

ENDPOINT, VARIANT = "flights", "AllTraffic"
MINUTE_MS = 60_000


def capture_lines(
    flights: Flights, predicted: NDArray[np.float64], first_id: int, epoch_ms: int
) -> list[str]:
    """A capture line a flight: request and answer as CSV, ids, and the time in whole seconds.

    ``first_id`` numbers the flights: ``inferenceId`` is the number, ``eventId`` a UUID made from
    it, so that a replay gives the same bytes each time. ``epoch_ms`` is the time at which the
    replay begins.
    """
    rows = _csv_rows(flights.features)
    times = [_stamp(epoch_ms + ms) for ms in flights.time_ms.tolist()]
    answers = predicted.tolist()
    return [
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":'
        f'{json.dumps(row)},"encoding":"CSV"}},"endpointOutput":{{"observedContentType":"text/csv;'
        ' charset=utf-8",'
        f'"mode":"OUTPUT","data":"{answer}","encoding":"CSV"}}}},"eventMetadata":{{"eventId":"{_event_id(number)}",'
        f'"inferenceId":"{number}","inferenceTime":"{time}"}},"eventVersion":"0"}}\n'
        for number, (row, answer, time) in enumerate(
            zip(rows, answers, times, strict=True), first_id
        )
    ]


def write_capture_file(folder: Path, lines: list[str], time_ms: int) -> Path:
    """Write ``endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl`` for an object put at
    ``time_ms``; it appears whole.
    """
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    path = (
        folder
        / ENDPOINT
        / VARIANT
        / f"{at:%Y/%m/%d/%H}"
        / f"{at:%M-%S}-{time_ms % 1000:03d}-{_event_id(time_ms)}.jsonl"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_suffix(".part")
    hidden.write_text("".join(lines), encoding="utf-8")
    os.replace(hidden, path)
    return path


def write_training_file(path: Path, flights: Flights, predicted: NDArray[np.float64]) -> None:
    """A CSV file with a header: the model's own answer first, as a capture's columns are ordered,
    then the features.
    """
    table = flights.features.add_column(0, "prediction", pa.chunked_array([pa.array(predicted)]))
    pa.csv.write_csv(table, path)


def _csv_rows(table: pa.Table) -> list[str]:
    out = io.BytesIO()
    pa.csv.write_csv(table, out, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    return out.getvalue().decode().splitlines()


def _event_id(number: int) -> str:
    return str(uuid.UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC834) % (1 << 128), version=4))


def _stamp(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
