"""Capture lines and files have the format that SageMaker writes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from demo.captures import (
    capture_lines,
    write_capture_file,
    write_held_out_file,
    write_training_file,
)
from demo.flights import Flights

NEW_YEAR_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z

FLIGHTS = Flights(
    pa.table({"carrier": ["UA", "DL"], "temp": [39.02, None], "dep_hour": ["7.0", "12"]}),
    np.zeros(2),
    np.array([0, 61_000], np.int64),
    np.zeros(2, np.int64),
)


def test_a_line_holds_request_response_ids_and_the_time_in_seconds() -> None:
    first, second = (
        json.loads(line) for line in capture_lines(FLIGHTS, np.array([-3.5, 12.0]), 41, NEW_YEAR_MS)
    )
    assert first["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "UA,39.02,7.0",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": "-3.5",
            "encoding": "CSV",
        },
    }
    assert second["captureData"]["endpointInput"]["data"] == "DL,,12"
    assert second["eventMetadata"]["inferenceId"] == "42"
    assert second["eventMetadata"]["inferenceTime"] == "2026-01-01T00:01:01Z"
    assert first["eventMetadata"]["eventId"] != second["eventMetadata"]["eventId"]
    assert first["eventVersion"] == "0"


def test_a_capture_file_has_the_documented_path_and_a_line_for_each_event(
    tmp_path: Path,
) -> None:
    lines = capture_lines(FLIGHTS, np.zeros(2), 0, NEW_YEAR_MS)
    path = write_capture_file(tmp_path, lines, NEW_YEAR_MS + 3_600_000 + 61_005)
    name = path.relative_to(tmp_path).as_posix()
    assert re.fullmatch(r"flights/AllTraffic/2026/01/01/01/01-01-005-[0-9a-f-]{36}\.jsonl", name)
    assert path.read_text() == "".join(lines)
    assert list(path.parent.iterdir()) == [path]


def test_names_of_later_files_sort_after_earlier_ones(tmp_path: Path) -> None:
    times = [NEW_YEAR_MS + minutes * 60_000 for minutes in (0, 10, 59, 60, 1439, 1440)]
    names = [
        write_capture_file(tmp_path, [], time_ms).relative_to(tmp_path).as_posix()
        for time_ms in times
    ]
    assert names == sorted(names)


def test_the_training_file_has_the_prediction_first(tmp_path: Path) -> None:
    write_training_file(tmp_path / "train.csv", FLIGHTS, np.array([1.5, 2.0]))
    assert (tmp_path / "train.csv").read_text().splitlines() == [
        '"prediction","carrier","temp","dep_hour"',
        '1.5,"UA",39.02,"7.0"',
        '2,"DL",,"12"',
    ]


def test_the_held_out_file_has_predictions_and_true_delays(tmp_path: Path) -> None:
    labelled = replace(FLIGHTS, label=np.array([-10.0, 33.0]))
    write_held_out_file(tmp_path / "held-out.csv", labelled, np.array([1.5, 2.0]))
    assert (tmp_path / "held-out.csv").read_text().splitlines() == [
        '"prediction","arr_delay"',
        "1.5,-10",
        "2,33",
    ]
