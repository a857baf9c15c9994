"""Schedules in which the models learn their baseline over a time, from rows of each part of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec.structs import replace

from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.profile import Profile
from stream.aggregation.state import JobState
from stream.event_time import LearningRule
from stream.events import BaselineInstalled, ModelKey, Sample
from tests.simulation.logs import MODELS, TOO_NARROW, Record
from tests.simulation.owner import Owner, Range
from tests.simulation.reading import BASELINE, LAYOUT, Reader
from tests.simulation.schedules import run_in, wrong_deliveries, wrong_ledger, wrong_order
from tests.simulation.world import World

PANE_MS = 10
RULE = LearningRule(rows=12, at_least_ms=60)
"""Six panes of two rows, and one pane more at each end."""
MOST = 2
LEAST_PANES = 8

Kept = dict[int, list[str]]
"""The rows to learn from, of each pane, in order."""


class LearningWorld(World):
    """A world whose readers send the rows of each range, and whose models learn from them."""

    def new_owner(self, readers: list[Reader]) -> Owner:
        settings = replace(self.settings, learn=RULE)
        return Owner(self.store, self.sink, settings, self.random, readers, learn=learned)

    def new_reader(self) -> Reader:
        reports = self.reports_children
        return Reader(self.logs, self.settings, self.random, reports, sample=samples)


def samples(records: Sequence[Record]) -> list[Sample]:
    """The names of the rows, by model and pane."""
    rows: dict[tuple[str, int], list[str]] = {}
    for record in records:
        rows.setdefault((str(record.model), pane_of(record)), []).append(name_of(record))
    return [
        Sample(ModelKey(model, "v"), pane_ms, len(names), encoded(names))
        for (model, pane_ms), names in rows.items()
    ]


def name_of(record: Record) -> str:
    return f"{record.key}/{record.number}"


def pane_of(record: Record) -> int:
    return record.time_ms // PANE_MS * PANE_MS


def encoded(names: list[str]) -> bytes:
    table = pa.table({"x": names})
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    data: bytes = stream.getvalue().to_pybytes()
    return data


def names_in(data: Iterable[bytes]) -> list[str]:
    return [name for each in data for name in pa.ipc.open_stream(each).read_all()["x"].to_pylist()]


def learned(model: str, known: Baseline, data: Sequence[bytes]) -> Baseline:
    """A baseline whose columns name the rows that it was learned from."""
    return Baseline(LAYOUT, Profile(LAYOUT), Constraints(), (*BASELINE.columns, *names_in(data)))


def run(seed: int) -> LearningWorld:
    """Run one schedule to its end."""
    world = LearningWorld(seed)
    run_in(world)
    return world


def verdict(world: World) -> str:
    """Return what is wrong with the outcome of a schedule; empty if it is correct."""
    wrong = (wrong_learning(world, model) for model in MODELS)
    return (
        wrong_deliveries(world)
        or wrong_ledger(world)
        or wrong_order(world)
        or next(filter(None, wrong), "")
    )


def wrong_learning(world: World, model: str) -> str:
    """The baseline is learned once, from the first rows of each pane in the order of counting, as
    soon as enough panes have enough of them; until then the state has these rows.
    """
    rows = {name_of(r): pane_of(r) for r in world.logs.in_time(world.settings) if _is_row(r, model)}
    ranges = world.owner.accepted
    at = next((k for k in range(len(ranges)) if is_due(kept(world, rows, ranges[: k + 1]))), None)
    installed = [
        item.baseline.columns[len(BASELINE.columns) :]
        for item in world.store.committed.outbox
        if isinstance(item, BaselineInstalled) and item.model == model
    ]
    if at is None:
        state = JobState.decode(world.store.committed.state).models[model]
        found, expected = by_pane(names_in(state.samples), rows), kept(world, rows, ranges)
        is_right = not installed and found == expected
        return "" if is_right else f"{model} keeps {found}, not {expected}; learned {installed}"
    if len(installed) != 1:
        return f"{model} learned {len(installed)} times"
    found = by_pane(installed[0], rows)
    # A partial has one or two ranges, so that the one which completes the rows is in either.
    before, after = kept(world, rows, ranges[: max(at - 1, 0)]), kept(world, rows, ranges[: at + 2])
    is_right = is_due(found) and is_prefix(before, found) and is_prefix(found, after)
    return "" if is_right else f"{model} learned from {found}, between {before} and {after}"


def _is_row(record: Record, model: str) -> bool:
    return record.model == model and record.value != TOO_NARROW


def kept(world: World, rows: dict[str, int], ranges: Sequence[Range]) -> Kept:
    """The first rows of each pane in these ranges, in their order."""
    records = (r for name, first, stop in ranges for r in world.logs.records[name][first:stop])
    found = by_pane((name_of(record) for record in records), rows)
    return {pane_ms: names[:MOST] for pane_ms, names in found.items()}


def by_pane(names: Iterable[str], rows: dict[str, int]) -> Kept:
    found: Kept = {}
    for name in names:
        if name in rows:
            found.setdefault(rows[name], []).append(name)
    return found


def is_due(found: Kept) -> bool:
    return len(found) >= LEAST_PANES and sum(map(len, found.values())) >= RULE.rows


def is_prefix(fewer: Kept, more: Kept) -> bool:
    """Whether each pane of the first begins the same pane of the second."""
    return all(more.get(pane_ms, [])[: len(names)] == names for pane_ms, names in fewer.items())
