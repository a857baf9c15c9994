"""A record at which readers die is passed over, and no other, however often the owner says so."""

from __future__ import annotations

from pathlib import Path

from stream.baselining.build import load_baseline
from stream.config.load import parse
from stream.events import Assign
from stream.readers.build import plan_of, reader_of
from tests.support.jobs import config, learn, lines_of


def test_an_order_that_comes_again_passes_over_no_second_record(tmp_path: Path) -> None:
    lines = lines_of(1)[:3]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    settings = parse(config(learn(tmp_path), source={"type": "jsonl", "path": "a.jsonl"}), tmp_path)
    reading = settings.source.open("job")
    reader = reader_of(settings, reading)
    reader.use(plan_of(settings, {"m": load_baseline(tmp_path / "baseline")}))
    [found] = reading.discover()
    reader.assign([Assign(1, found.partition, found.start, None)])
    deadly = (found.partition, ("a.jsonl", len(lines[0]) + 1))
    outcomes = []
    for _ in lines:
        reader.care(1, [deadly])
        outcomes += [
            cover.outcomes
            for partial in reader.count(reader.poll(0.0)[1])
            for cover in partial.covers
        ]
    assert [{name: count for name, count in one.items() if count} for one in outcomes] == [
        {"accepted": 1},
        {"crashes_reader": 1},
        {"accepted": 1},
    ]
