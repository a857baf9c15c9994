"""A peer on rows that are already decoded; prints ``{"events": ..., "seconds": ...}``.

Runs in the peer's own virtual environment: ``python leg.py whylogs rows.parquet``. The file holds a
baseline and a current part of equal length. Reading the file and the first call are not timed.
"""

import json
import sys
import time
import warnings

import pyarrow.parquet as pq


def whylogs_leg(rows):
    import whylogs as why

    frame = rows.to_pandas()
    return lambda: why.log(frame)


def evidently_leg(rows):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frame = rows.to_pandas()
    text = [name for name in frame.columns if frame[name].dtype.kind not in "if"]
    numeric = [name for name in frame.columns if name not in text]
    columns = DataDefinition(numerical_columns=numeric, categorical_columns=text)
    half = len(frame) // 2
    parts = [
        Dataset.from_pandas(part, data_definition=columns) for part in (frame[half:], frame[:half])
    ]
    return lambda: Report([DataDriftPreset()]).run(*parts)


def river_leg(rows):
    from river.drift import ADWIN

    columns = [
        rows[name].to_pylist() for name in rows.column_names if str(rows[name].type) != "string"
    ]

    def run():
        detectors = [ADWIN() for _ in columns]
        for values in zip(*columns, strict=True):
            for detector, value in zip(detectors, values, strict=True):
                detector.update(value)

    return run


def main():
    """Time the second call of the leg."""
    warnings.simplefilter("ignore")
    name, path = sys.argv[1:]
    rows = pq.read_table(path)
    events = rows.num_rows
    if name == "evidently":
        events //= 2
    if name == "river":
        rows = rows.slice(0, events := 2_000)
    run = {"whylogs": whylogs_leg, "evidently": evidently_leg, "river": river_leg}[name](rows)
    run()
    start = time.perf_counter()
    run()
    print(json.dumps({"events": events, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
