"""Schedules over complete logs of events and labels, against a plain count of both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from detectors.quality_report import QualityReport
from stream.events import EndOfInput
from tests.simulation import schedules
from tests.simulation.label_job import error_sums, pairs_of, reported_sums
from tests.simulation.label_world import LabelWorld

CHAOS: tuple[tuple[int, Callable[[LabelWorld], object]], ...] = (
    *schedules.CHAOS,
    (4, LabelWorld.discover_labels),
    (20, LabelWorld.read_labels),
    (20, LabelWorld.deliver_labels),
    (3, LabelWorld.lose_labels),
)


def run(seed: int) -> LabelWorld:
    """Run one schedule to its end."""
    world = LabelWorld(seed)
    weights, steps = zip(*CHAOS, strict=True)
    for step in world.random.choices(steps, weights, k=world.random.randint(20, 150)):
        step(world)
    finish(world)
    return world


def finish(world: LabelWorld) -> None:
    """Read, commit and deliver everything, without further faults."""
    world.owner.commit()
    world.restart()
    world.wake_all()
    for name in world.logs.records:
        world.discover(name)
    for name in world.labels.records:
        world.discover_labels(name)
    steps = (world.read, world.deliver_partial, world.read_labels, world.deliver_labels)
    weights = (1, 1, *[world.random.choice((0.2, 1, 5))] * 2)
    for _ in range(8_000):
        if schedules.at_end(world) and at_end(world):
            break
        world.random.choices(steps, weights)[0]()
    if world.random.random() < 0.3:
        world.tick(1_000)
    world.step(EndOfInput())
    world.owner.commit()
    world.owner.deliver(everything=True)


def at_end(world: LabelWorld) -> bool:
    """Return whether all logs of labels are read."""
    labels = world.owner.aggregator.state.labels
    assert labels is not None
    known = labels.log.partitions
    return all(
        name in known and known[name].next == len(records)
        for name, records in world.labels.records.items()
    )


def verdict(world: LabelWorld) -> str:
    """Return what is wrong with the outcome of a schedule; empty if it is correct."""
    return schedules.verdict(world) or label_verdict(world)


def label_verdict(world: LabelWorld) -> str:
    """Return what is wrong with the labels and the quality windows."""
    wrong = wrong_revisions(world) or wrong_reads(world)
    if wrong or not world.exact:
        return wrong
    if world.observed["labels before the watermark"] and not world.patient:
        return "labels came from before the watermark of the labels"
    return wrong_labels(world) or wrong_quality(world) or wrong_ends(world)


def quality_reports(world: LabelWorld) -> dict[tuple[str, int], list[QualityReport]]:
    """Return the reports of each quality window, in the order of their revisions."""
    found = defaultdict(list)
    for item in world.sink.delivered.values():
        if isinstance(item, QualityReport):
            found[item.model, item.end_ms].append(item)
    return {
        window: sorted(reports, key=lambda report: report.revision)
        for window, reports in found.items()
    }


def wrong_revisions(world: LabelWorld) -> str:
    """Revisions rise by one from 0, a window is final at most once, and nothing follows that."""
    for window, reports in quality_reports(world).items():
        revisions = [report.revision for report in reports]
        if revisions != list(range(len(reports))):
            return f"quality of {window} has the revisions {revisions}"
        if any(report.final for report in reports[:-1]):
            return f"quality of {window} is reported after it was final"
    return ""


def wrong_reads(world: LabelWorld) -> str:
    """Each record of the label log was counted once."""
    read = {name: count for name, count in world.owner.label_ledger.read.items() if count}
    written = {name: len(records) for name, records in world.labels.records.items() if records}
    return "" if read == written else f"labels read: {read}, written: {written}"


def wrong_labels(world: LabelWorld) -> str:
    """The label ledger has the outcomes of the plain join; what waits may have expired."""
    ledger = world.owner.label_ledger
    expected = world.labels.joined(world.logs, world.settings)
    undecodable = sum(r.id is None for log in world.labels.records.values() for r in log)
    outcomes = +Counter(expected.outcomes) + Counter(id_missing=undecodable)
    actual = Counter(ledger.labels)
    actual["waiting"] += actual.pop("expired", 0)
    if +actual != outcomes:
        return f"labels by outcome: {dict(+actual)}, expected: {dict(outcomes)}"
    taken = len(world.labels.events(world.logs, world.settings))
    of = ledger.predictions.get
    if (of("taken", 0), of("labelled", 0)) != (taken, expected.labelled):
        return f"predictions: {ledger.predictions}, expected: {taken}, {expected.labelled}"
    return ""


def wrong_quality(world: LabelWorld) -> str:
    """The last report of each quality window has the rows of the plain count."""
    expected = world.labels.expected(world.logs, world.settings)
    newest = {window: reports[-1] for window, reports in quality_reports(world).items()}
    if newest.keys() != expected.keys():
        return f"quality windows differ: {sorted(newest.keys() ^ expected.keys())[:3]}"
    state = world.owner.aggregator.state.labels
    assert state is not None
    for window, report in newest.items():
        rows, pairs = expected[window]
        if (report.predictions, report.labelled) != (rows, pairs.total()):
            return (
                f"{window} has {report.predictions} predictions, {report.labelled} labelled,"
                f" expected: {rows}, {pairs.total()}"
            )
        problem = "binary" if report.model == "a" else world.problem
        if problem == "regression":
            if reported_sums(report) != error_sums(pairs):
                return f"{window}: {reported_sums(report)}, expected: {error_sums(pairs)}"
        elif pairs_of(report, problem, state.classes) != +pairs:
            actual = pairs_of(report, problem, state.classes)
            return f"{window}: {dict(actual)}, expected: {dict(+pairs)}"
    return ""


def wrong_ends(world: LabelWorld) -> str:
    """Exactly the windows are final that no label can change any more."""
    if not world.never_idle or world.patient:
        return ""
    bound_ms = world.labels.final_before_ms(world.owner.aggregator.state.settled_ms)
    for (model, end_ms), reports in quality_reports(world).items():
        if reports[-1].final != (bound_ms is not None and end_ms <= bound_ms):
            return f"final of {model} {end_ms}: {reports[-1].final}, windows end at {bound_ms}"
    return ""


def observations(world: LabelWorld) -> Counter[str]:
    """Return the kinds of events in a schedule, and how often each happened."""
    reports = [report for each in quality_reports(world).values() for report in each]
    ledger = world.owner.label_ledger
    return schedules.observations(world) + Counter(
        {
            "labels": sum(ledger.read.values()),
            **{f"labels {name}": count for name, count in ledger.labels.items() if count},
            **{f"predictions {name}": n for name, n in ledger.predictions.items() if n},
            "quality revisions": sum(report.revision > 0 for report in reports),
            "quality windows final": sum(report.final for report in reports),
            "exact outcomes": int(world.exact),
        }
    )
