"""A poison record is skipped, and no other record, however often the owner orders it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from stream.baselining.build import load_baseline
from stream.config.load import parse
from stream.events import Assign, Position
from stream.readers.build import plan_of, reader_of
from tests.support.jobs import config, learn, lines_of


def test_a_repeated_order_to_skip_skips_no_second_record(tmp_path: Path) -> None:
    lines = lines_of(1)[:3]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    settings = parse(config(learn(tmp_path), source={"type": "jsonl", "path": "a.jsonl"}), tmp_path)
    reading = settings.source.open("job")
    reader = reader_of(settings, reading)
    reader.use(plan_of(settings, {"m": load_baseline(tmp_path / "baseline")}))
    [discovered] = reading.discover()
    reader.assign(
        [Assign(claim=1, partition=discovered.partition, next=discovered.start, mark_ms=None)]
    )
    poison: list[tuple[str, Position]] = []
    outcomes = []
    for _ in lines:
        reader.read_carefully(1, poison)
        _, raws = reader.poll(0.0)
        poison = poison or [(raw.partition, raw.next) for raw in raws]
        covers = [cover for partial in reader.count(raws) for cover in partial.covers]
        outcomes += [+Counter(cover.outcomes) for cover in covers]
    assert outcomes == [{"accepted": 1}, {"crashes_reader": 1}, {"accepted": 1}]
