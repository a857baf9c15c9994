"""What the signals of a schedule must be, with looks into open windows among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from detectors.decisions.episode_state import EpisodeState
from detectors.report import Signal, WindowReport
from stream.aggregation.state import JobState
from stream.events import ModelKey
from tests.simulation.judging import PlainJudge
from tests.simulation.reading import BASELINE
from tests.simulation.world import World


def wrong_signals(world: World) -> str:
    """A model has at most one open episode, each opens and recovers once, and no look into an open
    window moves the episodes of the closed ones.
    """
    return _wrong_order(world) or _wrong_episodes(world)


def _wrong_order(world: World) -> str:
    """The signals of a model in the order of the outbox: no episode opens inside another, or twice.

    One that has recovered may return without a signal, and recover again. Episodes of the quality
    of a model, which are of its labelled windows, are others.
    """
    now_open: dict[ModelKey, str] = {}
    closed: set[str] = set()
    about_data = (each for each in _committed(world, Signal) if each.quality is None)
    for signal in about_data:
        key = ModelKey(signal.model, signal.variant)
        episode = now_open.get(key)
        if signal.kind == "opened":
            if episode is not None or signal.episode in closed:
                return f"{signal.id} opens inside {episode}, or again"
            now_open[key] = signal.episode
        elif signal.episode != episode and (episode or signal.episode not in closed):
            return f"{signal.id} belongs to no open episode, but {episode} is open"
        if signal.kind == "recovered":
            now_open.pop(key, None)
            closed.add(signal.episode)
    return ""


def _wrong_episodes(world: World) -> str:
    """The episodes in the state are those of the reports alone."""
    expected: dict[ModelKey, EpisodeState] = {}
    for report in _committed(world, WindowReport):
        key = ModelKey(report.model, report.variant)
        state = expected.setdefault(key, EpisodeState())
        is_newest = not state.windows or (report.end_ms or 0) > state.windows[-1].end_ms
        if report.state != "no data" and not report.revision and is_newest:
            expected[key] = PlainJudge().advance(state, report, BASELINE)[0]
    known = dict(JobState.decode(world.store.committed.state).known())
    wrong = [key for key, state in expected.items() if known[key].episodes != state]
    return f"the episodes of {wrong[:3]} are not those of their reports" if wrong else ""


Kind = TypeVar("Kind")


def _committed(world: World, kind: type[Kind]) -> Iterator[Kind]:
    return (item for item in world.store.committed.outbox if isinstance(item, kind))
