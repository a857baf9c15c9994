"""Schedules over complete logs: chaos for a while, then everything that is left is read, committed
and delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from detectors.report import Signal, WindowReport
from stream.events import EndOfInput
from tests.simulation.owner import name_of
from tests.simulation.world import World

CHAOS: tuple[tuple[int, Callable[[World], object]], ...] = (
    (
        10,
        lambda world: world.discover(world.random.choice(list(world.logs.records))),
    ),  # again, before its parents, long after them
    (26, World.read),
    (26, World.land),
    (4, World.lose),
    (8, lambda world: world.tick(world.random.choice((1, 5, 20, 60, -10)))),
    (8, lambda world: world.owner.commit()),
    (5, lambda world: world.owner.deliver()),
    (3, World.kill_a_reader),
    (3, World.orphans),
    (3, World.restart),
    (1, World.freeze),
    (3, World.wake),
)
"""What may happen next, and how often in a hundred."""


def run(seed: int) -> World:
    """One schedule to its end."""
    world = World(seed)
    often, what = zip(*CHAOS, strict=True)
    for happens in world.random.choices(what, often, k=world.random.randint(20, 110)):
        happens(world)
    finish(world)
    return world


def finish(world: World) -> None:
    """The calm after the storm."""
    world.owner.commit()
    world.restart()
    world.wake_all()
    for name in world.logs.records:
        world.discover(name)
    for _ in range(3_000):
        if at_end(world):
            break
        world.read()
        world.land()
    world.step(EndOfInput())
    world.owner.commit()
    world.owner.deliver(all_of_it=True)


def at_end(world: World) -> bool:
    """True when all logs are read, and those that are closed are known to be."""
    partitions = world.owner.aggregator.state.partitions
    logs = world.logs
    return all(
        partitions[name].next == len(log) and partitions[name].ended == (name in logs.children)
        for name, log in logs.records.items()
    )


def verdict(world: World) -> str:
    """What is wrong with the outcome of a schedule; empty if nothing is."""
    return outbox(world) or books(world) or order(world) or windows(world)


def outbox(world: World) -> str:
    """Ids have one content, and nothing went out that is not committed."""
    if world.sink.changed:
        return f"ids with two contents: {world.sink.changed[:3]}"
    kept = {
        name_of(item): item
        for item in world.store.committed.outbox
        if isinstance(item, WindowReport | Signal)
    }
    loose = [name for name, item in world.sink.delivered.items() if kept.get(name) != item]
    return f"delivered and never committed: {loose[:3]}" if loose else ""


def books(world: World) -> str:
    """Each record was read once, and so was each of its bytes."""
    ledger = world.owner.aggregator.state.ledger
    read = {name: account.read for name, account in ledger.partitions.items() if account.read}
    want = {name: len(log) for name, log in world.logs.records.items() if log}
    if read != want:
        return f"records read: {read}, there are {want}"
    lengths = sum(record.length for log in world.logs.records.values() for record in log)
    return (
        ""
        if sum(ledger.bytes.values()) == lengths
        else f"bytes read: {ledger.bytes}, there are {lengths}"
    )


def order(world: World) -> str:
    """The records of a key were counted in the order in which they were written, in whatever
    partitions."""
    last: Counter[int] = Counter()
    for name, first, stop in world.owner.counted:
        for record in world.logs.records[name][first:stop]:
            if record.number != last[record.key] + 1:
                return (
                    f"record {record.number} of key {record.key} in {name} was counted behind"
                    f" {last[record.key]}"
                )
            last[record.key] += 1
    return ""


def windows(world: World) -> str:
    """Windows are what the plain count says; rows that came back after idle are missing and told,
    where that may be."""
    ledger = world.owner.aggregator.state.ledger
    lost = ledger.rows_late_after_idle + ledger.width_mismatches_late_after_idle
    got, want = world.sink.totals(), world.logs.expected(world.settings)
    if not lost:
        off = sorted(key for key in {*got, *want} if got.get(key) != want.get(key))
        return (
            f"windows differ: {[(key, got.get(key), want.get(key)) for key in off[:3]]}"
            if off
            else ""
        )
    if world.prompt:
        return f"{lost} rows were called late after idle"
    panes = world.settings.window_ms // world.settings.every_ms
    missing = sum(map(sum, want.values())) - sum(map(sum, got.values()))
    return "" if missing == lost * panes else f"{missing} counts missing, {lost} rows told"


def met(world: World) -> Counter[str]:
    """What a schedule has met."""
    ledger, items = world.owner.aggregator.state.ledger, list(world.sink.delivered.values())
    reports = [item for item in items if isinstance(item, WindowReport)]
    return world.met + Counter(
        {
            "records": sum(map(len, world.logs.records.values())),
            "windows": len(world.sink.totals()),
            "partitions split or merged": len(world.logs.children),
            "marks handed down": sum(map(bool, world.logs.parents.values())),
            "records too late": ledger.total("too_late"),
            "misfits": ledger.total("too_few_columns"),
            "partials refused": ledger.partials_dropped,
            "rows late after idle": ledger.rows_late_after_idle,
            "revisions": sum(
                report.revision > 0 and report.state != "no data" for report in reports
            ),
            "silences": sum(report.state == "no data" for report in reports),
            "signals": len(items) - len(reports),
        }
    )
