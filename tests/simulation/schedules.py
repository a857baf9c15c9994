"""Schedules over complete logs: chaos for a while, then everything is read, committed and
delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from detectors.decisions.conditions import ROWS
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence import horizons
from detectors.statistics.evidence.tallies import tally_layout
from stream.aggregation.state import JobState
from stream.events import EndOfInput, ModelKey
from tests.simulation.early import wrong_signals
from tests.simulation.logs import MODELS, Period
from tests.simulation.owner import SEASON_WINDOWS, Delivered, id_of, period_of
from tests.simulation.parts import wrong_parts
from tests.simulation.reading import BASELINE, LAYOUT
from tests.simulation.silences import is_empty, wrong_empty_windows
from tests.simulation.world import NEVER_MS, World


def discover(world: World) -> None:
    """Report a partition: before its parents, long after them, or again."""
    world.discover(world.random.choice(list(world.logs.records)))


def tick(world: World) -> None:
    world.tick(world.random.choice((1, 5, 20, 60, -10)))


CHAOS: tuple[tuple[int, Callable[[World], object]], ...] = (
    (10, discover),
    (26, World.read),
    (26, World.deliver_partial),
    (4, World.lose_partial),
    (8, tick),
    (8, lambda world: world.owner.commit()),
    (5, lambda world: world.owner.deliver()),
    (3, World.give_up_reader),
    (3, World.report_lost_reader),
    (3, World.restart),
    (1, World.freeze),
    (3, World.wake),
)
"""The possible steps, and how often each happens in a hundred steps."""


def run(seed: int) -> World:
    """Run one schedule to its end."""
    world = World(seed)
    run_in(world)
    return world


def run_in(world: World) -> None:
    """Let a world take its steps, and finish."""
    weights, steps = zip(*CHAOS, strict=True)
    for step in world.random.choices(steps, weights, k=world.random.randint(20, 110)):
        step(world)
    finish(world)


def finish(world: World) -> None:
    """Read, commit and deliver everything, without further faults."""
    world.owner.commit()
    world.restart()
    world.wake_all()
    for name in world.logs.records:
        world.discover(name)
    for _ in range(3_000):
        if at_end(world):
            break
        world.read()
        world.deliver_partial()
    world.step(EndOfInput())
    world.owner.commit()
    world.owner.deliver(everything=True)


def at_end(world: World) -> bool:
    """Return whether all logs are read, and the owner has recorded the end of all closed ones."""
    partitions = world.owner.aggregator.state.partitions
    children = world.logs.children
    return all(
        partitions[name].next == len(records) and partitions[name].ended == (name in children)
        for name, records in world.logs.records.items()
    )


def verdict(world: World) -> str:
    """Return what is wrong with the outcome of a schedule; empty if it is correct."""
    return (
        wrong_deliveries(world)
        or wrong_ledger(world)
        or wrong_order(world)
        or wrong_windows(world)
        or wrong_periods(world)
        or wrong_histories(world)
        or wrong_seasons(world)
        or wrong_starts(world)
        or wrong_signals(world)
        or wrong_empty_windows(world)
        or wrong_parts(world)
    )


def wrong_deliveries(world: World) -> str:
    """Items with the same id are equal, and every delivered item is committed."""
    if world.sink.changed:
        return f"ids with two different contents: {world.sink.changed[:3]}"
    committed = {
        id_of(item): item for item in world.store.committed.outbox if isinstance(item, Delivered)
    }
    uncommitted = [
        name for name, item in world.sink.delivered.items() if committed.get(name) != item
    ]
    return f"delivered and never committed: {uncommitted[:3]}" if uncommitted else ""


def wrong_ledger(world: World) -> str:
    """Each record was counted once, and so was each of its bytes; a record has one row, so that
    those that are late after idle are as many as their rows.
    """
    ledger = world.owner.aggregator.state.ledger
    read = {name: account.read for name, account in ledger.partitions.items() if account.read}
    written = {name: len(records) for name, records in world.logs.records.items() if records}
    if read != written:
        return f"records read: {read}, written: {written}"
    length = sum(record.length for records in world.logs.records.values() for record in records)
    if sum(ledger.bytes.values()) != length:
        return f"bytes read: {ledger.bytes}, written: {length}"
    if ledger.total("late_after_idle") != ledger.rows_late_after_idle:
        return f"late rows {ledger.rows_late_after_idle} differ from the late records"
    return ""


def wrong_order(world: World) -> str:
    """The records of a key were counted in the order of writing, across all partitions."""
    last = Counter({r.key: r.number for records in world.logs.before.values() for r in records})
    for name, first, stop in world.owner.accepted:
        for record in world.logs.records[name][first:stop]:
            if record.number != last[record.key] + 1:
                return (
                    f"record {record.number} of key {record.key} in {name} was counted after"
                    f" record {last[record.key]}"
                )
            last[record.key] += 1
    return ""


def wrong_windows(world: World) -> str:
    """Windows equal the plain count; rows that are late after idle are missing and counted, in
    worlds where that may happen.
    """
    ledger = world.owner.aggregator.state.ledger
    late = ledger.rows_late_after_idle + ledger.width_mismatches_late_after_idle
    totals = world.sink.totals()
    expected = world.logs.expected(world.settings)
    if not late:
        windows = sorted(
            window for window in {*totals, *expected} if totals.get(window) != expected.get(window)
        )
        wrong = [(window, totals.get(window), expected.get(window)) for window in windows[:3]]
        return f"windows differ (actual, expected): {wrong}" if wrong else ""
    if world.prompt:
        return f"{late} rows were counted as late after idle"
    panes = world.settings.window_ms // world.settings.every_ms
    missing = sum(map(sum, expected.values())) - sum(map(sum, totals.values()))
    return "" if missing == late * panes else f"{missing} counts are missing, {late} rows were late"


def wrong_periods(world: World) -> str:
    """The periods of schedules equal the plain count, and their revisions follow each other; rows
    that are late after idle are missing in each schedule.
    """
    reports = world.sink.scheduled()
    revisions: dict[Period, list[int]] = {}
    for report in reports:
        revisions.setdefault(period_of(report), []).append(report.revision)
    for period, found in revisions.items():
        if found != list(range(len(found))):
            return f"period {period} has the revisions {found}"
    lengths = world.settings.schedules_ms
    totals = {period: counts for period, counts in world.sink.periods().items() if any(counts)}
    totals = {period: counts for period, counts in totals.items() if period[1] in lengths}
    expected = world.logs.expected_periods(world.settings)
    ledger = world.owner.aggregator.state.ledger
    late = ledger.rows_late_after_idle + ledger.width_mismatches_late_after_idle
    if late:
        missing = sum(map(sum, expected.values())) - sum(map(sum, totals.values()))
        is_right = missing == late * len(lengths)
        return "" if is_right else f"periods lack {missing} counts, {late} rows were late"
    periods = [
        period for period in {*totals, *expected} if totals.get(period) != expected.get(period)
    ]
    wrong = [(period, totals.get(period), expected.get(period)) for period in sorted(periods)[:3]]
    return f"periods differ (actual, expected): {wrong}" if wrong else ""


def wrong_histories(world: World) -> str:
    """Each window was judged together with the first reports of those before it that are judged
    and do not overlap, and these are what the state has at the end, with their counts. A revision
    is judged by what was remembered before the first report.
    """
    since: dict[tuple[str, int], float | int | str] = {}
    past: dict[str, list[WindowReport]] = {}
    newest_ms: dict[str, int] = {}
    for report in world.store.committed.outbox:
        if not isinstance(report, WindowReport) or report.end_ms is None or not report.profile:
            continue
        of_model = past.setdefault(report.model, [])
        before = [other for other in of_model if ended(other) <= report.start_ms]
        pooled = [report, *before[::-1][: horizons.LONGEST - 1]]
        windows = max(h for h in horizons.HORIZONS if h <= len(pooled))
        first = since.setdefault((report.model, report.end_ms), report.rules["since"])
        if [*pooled_counts(pooled[:windows]), first] != list(report.rules.values()):
            return f"{report.id} was judged together with {report.rules}, not {windows} windows"
        is_judged = report.state in ("ok", "violations") and not report.revision
        if is_judged and report.end_ms > newest_ms.get(report.model, -NEVER_MS):
            newest_ms[report.model] = report.end_ms
            if not of_model or ended(of_model[-1]) <= report.start_ms:
                of_model.append(report)
    return wrong_kept_histories(world, past)


def wrong_kept_histories(world: World, past: dict[str, list[WindowReport]]) -> str:
    """The state has the newest windows of each model, as they were reported first."""
    layout = tally_layout(BASELINE)
    for model, reports in past.items():
        kept = world.store.committed.histories.get(ModelKey(model, "v"), layout).windows()
        found = [(w.start_ms, w.end_ms, layout.cells(w.tallies)[:4].tolist()) for w in kept]
        expected = [(r.start_ms, r.end_ms, pooled_counts([r])[1:]) for r in reports]
        if found != expected[-len(found) :] or len(found) < min(
            len(expected), horizons.LONGEST - 1
        ):
            return f"the history of {model} is {found}, not {expected}"
    return ""


def ended(report: WindowReport) -> int:
    """The end of the window of a report."""
    assert report.end_ms is not None
    return report.end_ms


def pooled_counts(reports: list[WindowReport]) -> list[int]:
    """The number of windows, and their counts by value."""
    counts = [np.frombuffer(report.profile, np.int64)[:-1] for report in reports]
    return [len(reports), *np.sum(counts, axis=0).tolist()]


def wrong_seasons(world: World) -> str:
    """The seasons of a model are the first windows that count, as they were reported first, and
    are frozen by the next later one.
    """
    committed = JobState.decode(world.store.committed.state)
    for model in MODELS:
        counts, last_ms, frozen_ms, number = np.zeros(0, np.int64), -NEVER_MS, None, 0
        for report in world.store.committed.outbox:
            if not isinstance(report, WindowReport) or report.model != model or report.revision:
                continue
            end_ms = report.end_ms
            if end_ms is None or not report.profile or frozen_ms is not None or end_ms <= last_ms:
                continue
            if number == SEASON_WINDOWS:
                frozen_ms = end_ms
            elif report.state in ("ok", "violations") and report.start_ms >= last_ms:
                found = np.frombuffer(report.profile, np.int64)[:-1]
                counts, last_ms, number = found + (counts if number else 0), end_ms, number + 1
        if wrong := wrong_season(world, committed, model, counts, frozen_ms):
            return wrong
    return ""


def wrong_season(
    world: World, state: JobState, model: str, expected: NDArray[np.int64], frozen_ms: int | None
) -> str:
    """The state has the expected counts, and when they were frozen."""
    stored = [
        profile.counts[LAYOUT.bins(0)]
        for season, profile in world.store.committed.seasons.items()
        if season.model == model
    ]
    total = np.sum(stored, axis=0).tolist() if stored else []
    if total != expected.tolist():
        return f"the season of {model} is {total}, not {expected.tolist()}"
    progress = state.models[model].season
    found_ms = None if progress is None else progress.frozen_ms
    return "" if found_ms == frozen_ms else f"{model} was frozen at {found_ms}, not {frozen_ms}"


def wrong_starts(world: World) -> str:
    """Exactly the windows that began before a partition was read are incomplete.

    Only where no partition is idle, and each one that is read from inside has a readable time.
    """
    until = world.logs.incomplete_until(world.settings)
    if not world.prompt or len(until) < sum(map(bool, world.logs.before.values())):
        return ""
    latest_ms = max(until.values(), default=-NEVER_MS)
    delivered = world.sink.delivered.values()
    windows = [item for item in delivered if isinstance(item, WindowReport)]
    for item in windows:
        is_late = item.start_ms > latest_ms
        if item.state != "no data" and is_late == (item.state == "incomplete"):
            return f"window {item.start_ms} is {item.state}, records may lack to {latest_ms}"
    return ""


def observations(world: World) -> Counter[str]:
    """Return the kinds of events in a schedule, and how often each happened."""
    ledger = world.owner.aggregator.state.ledger
    items = list(world.sink.delivered.values())
    reports = [item for item in items if isinstance(item, WindowReport)]
    signals = [item for item in items if isinstance(item, Signal)]
    early = {signal.episode for signal in signals if signal.early}
    recovered = {signal.episode for signal in signals if signal.kind == "recovered"}
    silences = [report for report in reports if report.state == "no data"]
    revisions = [report for report in reports if report.revision and report not in silences]
    return world.observed + Counter(
        {
            "records": sum(map(len, world.logs.records.values())),
            "windows": len(world.sink.totals()),
            "partitions split or merged": len(world.logs.children),
            "marks inherited": sum(map(bool, world.logs.parents.values())),
            "records too late": ledger.total("too_late"),
            "width mismatches": ledger.total("too_few_columns"),
            "partials refused": ledger.partials_dropped,
            "rows late after idle": ledger.rows_late_after_idle,
            "revisions": len(revisions),
            "silences": len(silences),
            "windows without events reported": sum(map(is_empty, reports)),
            "signals of missing rows": sum(ROWS in signal.features for signal in signals),
            "incomplete windows": sum(report.state == "incomplete" for report in reports),
            "windows judged with others": sum(
                int(report.rules.get("windows", 0)) > 1 for report in reports
            ),
            "revisions judged with others": sum(
                int(report.rules.get("windows", 0)) > 1 for report in revisions
            ),
            "periods": len(world.sink.periods()),
            "revisions of periods": sum(item.revision > 0 for item in world.sink.scheduled()),
            "periods without events": sum(
                item.status == "NoData" for item in world.sink.scheduled()
            ),
            "signals": len(signals),
            "early signals": sum(signal.early for signal in signals),
            "early episodes continued": sum(
                state.early.episode is not None and bool(state.early.episode.continued_by)
                for _, state in world.owner.aggregator.state.known()
            ),
            "early episodes recovered": len(early & recovered),
        }
    )
