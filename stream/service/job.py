"""Puts a job together from its configuration: store, aggregator, reader, sinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detectors.decisions.judge import Judge
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from sinks.base import Delivery, Sink
from sinks.courier import Courier, Listens
from sinks.errors import ClientUnusable
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.state import JobState
from stream.baselining.build import empty_baseline, learn_from_samples, load_baseline
from stream.config.consistency import check_baselines
from stream.config.model import Config
from stream.dedupe.index import Memory
from stream.delivery.cursors import cursors_of, keys_of
from stream.delivery.dead_letters import DeadLetterFile
from stream.durations import duration_ms
from stream.errors import ConfigError, SinkUnusable
from stream.event_time import Settings
from stream.events import DeadLetters, Output, Rebase, Relayout, Retire
from stream.readers.plan import Columns, ReadingPlan, columns_of
from stream.readers.reader import Reader, Times
from stream.sources.base import Reading
from stream.state.event_ids import SqliteIds
from stream.state.file_lock import FileLock
from stream.state.panes import SqlitePanes
from stream.state.store import Identity, Numbered, Store


class Job(NamedTuple):
    """The parts of a running job. ``told`` is what the changes since the last run have to say: it goes out with the first commit."""

    config: Config
    identity: Identity
    store: Store
    aggregator: Aggregator
    panes: SqlitePanes
    ids: SqliteIds
    told: list[Output]


def settings_of(config: Config) -> Settings:
    """What the protocol must know of a configuration."""
    return Settings(
        job=config.job,
        window_ms=duration_ms(config.window),
        every_ms=config.every_ms,
        grace_ms=config.grace_ms,
        lateness_ms=duration_ms(config.lateness),
        idle_ms=duration_ms(config.idle),
        learn_rows=config.learn.events,
        stop_on_gap=config.on_gap == "stop",
    )


def configured_baselines(config: Config) -> dict[str, Baseline]:
    """The baseline of each model from its folder; an empty one where it is to be learned.

    Raises :class:`~stream.errors.ConfigError` naming the key if a folder holds none, :class:`~stream.errors.BaselineMismatch`
    if it does not fit the columns or the names in the configuration.
    """
    out = {}
    for name, model in config.models.items():
        try:
            out[name] = empty_baseline() if model.learned else load_baseline(Path(model.baseline))
        except BaselineInvalid as error:
            raise ConfigError(f"models.{name}.baseline", "a folder with a baseline, or `learn`", str(error)) from error
    columns = {name: columns_of(name, out[name], model.outputs, model.inputs) for name, model in config.models.items()}
    check_baselines(config, {name: (*one.outputs, *one.inputs) for name, one in columns.items()}, out)
    return out


def columns_now(config: Config, baselines: Mapping[str, Baseline]) -> dict[str, Columns]:
    """The columns of all models with the baselines in force."""
    return {name: _columns(config, name, baselines[name]) for name in config.models}


def _columns(config: Config, name: str, baseline: Baseline) -> Columns:
    model = config.models[name]
    return columns_of(name, baseline if baseline.columns else None, model.outputs, model.inputs)


def identity_of(config: Config, baselines: Mapping[str, Baseline]) -> Identity:
    """What a state of this configuration belongs to; ``baselines`` are those that it names."""
    fingerprints = {name: "" if config.models[name].learned else baseline.fingerprint for name, baseline in baselines.items()}
    settings = settings_of(config)
    return Identity(config.job, config.source.identity, settings.window_ms, settings.every_ms, configured=fingerprints)


def open_job(config: Config, accept_change: bool = False, lock: FileLock | None = None) -> Job:
    """Open the store (under ``lock``, if it is held already) and build the aggregator on what it holds; closes it again if that fails."""
    wanted, settings = configured_baselines(config), settings_of(config)
    identity = identity_of(config, wanted)
    store = Store(Path(config.state.path), lock)
    try:
        state, stored = store.load(identity, accept_change), store.identity()
        in_force, changes = _in_force(config, store, stored, state, wanted)
        identity = msgspec.structs.replace(identity, configured={**(stored.configured if stored else {}), **identity.configured})
        for baseline in (*wanted.values(), *in_force.values()):
            store.keep_baseline(baseline)
        panes = store.panes(baseline.layout for baseline in in_force.values())
        state.ledger.rows_in_panes = panes.rows()
        told = _cut(settings, stored, in_force, judge_of(config), state, panes)
        next_ones = {change.model: change.baseline for change in changes if isinstance(change, Rebase)}
        ids = store.ids()
        memory = Memory(config.dedupe, ids) if config.dedupe else None
        learning = [name for name, columns in columns_now(config, {**in_force, **next_ones}).items() if columns.unlearned]
        aggregator = Aggregator(settings, in_force, judge_of(config), state, panes, partial(_learn, config), learning, memory)
        told += [output for change in changes for output in aggregator.step(change) if not isinstance(output, Relayout)]
        for baseline in next_ones.values():
            panes.know(baseline.layout)
    except BaseException:
        store.close()
        raise
    return Job(config, identity, store, aggregator, panes, ids, told)


def _in_force(
    config: Config, store: Store, stored: Identity | None, state: JobState, wanted: Mapping[str, Baseline]
) -> tuple[dict[str, Baseline], list[Rebase | Retire]]:
    """The baselines that the state was counted with, and the changes to what is wanted now."""
    out: dict[str, Baseline] = {}
    changes: list[Rebase | Retire] = []
    for name, model in state.models.items():
        before = store.baseline(model.baseline)
        if before is not None:
            out[name] = before
            if name not in wanted:
                changes.append(Retire(name))
    configured = identity_of(config, wanted).configured
    for name, baseline in wanted.items():
        new = configured[name]
        if name in out and stored is not None and stored.configured.get(name, new) != new:
            changes.append(Rebase(name, baseline, bool(_columns(config, name, baseline).unlearned)))
        out.setdefault(name, baseline)
    return out, changes


def _cut(
    settings: Settings, stored: Identity | None, in_force: Mapping[str, Baseline], judge: Judge, state: JobState, panes: SqlitePanes
) -> list[Output]:
    """If windows were of another length before, the reports on those that are open, as ``incomplete``."""
    if stored is None or (stored.window_ms, stored.every_ms) == (settings.window_ms, settings.every_ms):
        return []
    before = msgspec.structs.replace(settings, window_ms=stored.window_ms, every_ms=stored.every_ms)
    watched = {name: baseline for name, baseline in in_force.items() if name in state.models}
    return Aggregator(before, watched, judge, state, panes).cut()


def _learn(config: Config, name: str, known: Baseline, samples: Sequence[bytes]) -> Baseline:
    columns = _columns(config, name, known)
    return learn_from_samples(known, samples, config.learn.events, columns.outputs, columns.inputs)


def judge_of(config: Config) -> Judge:
    """The judge with the rules, per-feature rules and change detectors of a configuration."""
    features = {name: model.features for name, model in config.models.items()}
    changes = {name: model.changes for name, model in config.models.items()}
    return Judge(config.job, config.rules, features, changes, config.expose_values)


def reader_of(config: Config, reading: Reading) -> Reader:
    """A reader of an open source; it must be told what to ``use`` before it reads."""
    return Reader(reading, config.format, config.origin, times_of(config), config.dead_letters.keep_payload, config.dedupe)


def times_of(config: Config) -> Times:
    """What a reader must know of time."""
    settings = settings_of(config)
    return Times(settings.every_ms, settings.grace_ms, settings.lateness_ms, duration_ms(config.tolerance))


def plan_of(config: Config, baselines: Mapping[str, Baseline]) -> ReadingPlan:
    """What a reader must know of the models."""
    return ReadingPlan(columns_now(config, baselines), config.format)


class Route(NamedTuple):
    """A courier, what it takes, the running half of its sink, and what the state calls its cursor (``key``)."""

    key: str
    courier: Courier[Any]
    takes: tuple[type[Any], ...]
    delivery: Any

    def offer(self, numbered: Sequence[Numbered]) -> None:
        """Give the courier what its sink takes; the rest only moves its cursor."""
        items = [(one.seq, one.item if isinstance(one.item, self.takes) else None) for one in numbered]
        self.courier.offer(items, [one.size for one in numbered], [one.at_ms / 1000 for one in numbered])


def routes_of(
    config: Config, store: Store, told: Listens | None = None, may_deliver: Callable[[], bool] | None = None
) -> list[Route]:
    """A courier for each sink and one for the dead letters; where each begins says :func:`stream.delivery.cursors.cursors_of`.

    ``told`` hears of each attempt and of what was delivered; ``may_deliver`` is asked before. Raises
    :class:`~stream.errors.SinkUnusable` for a sink that finds its settings, or those of the environment, of no use.
    """
    cursors, last = store.cursors(), store.last_seq()
    letters, key = DeadLetterFile(Path(config.dead_letters.path)), "dead_letters"
    carries: Courier[Any] = Courier(key, letters, cursors.get(key, last), True, told=told, may_deliver=may_deliver)
    routes = [Route(key, carries, (DeadLetters,), letters)]
    keys = keys_of((kind_of(sink), sink) for sink in config.sinks)
    for k, ((name, sink), key, cursor) in enumerate(zip(_named(config), keys, cursors_of(keys, cursors, last), strict=True)):
        delivery = _opened(f"sinks[{k}]", sink, config.job)
        carries = Courier(name, delivery, cursor, sink.lossless, told=told, may_deliver=may_deliver)
        routes.append(Route(key, carries, sink.takes, delivery))
    return routes


def _opened(where: str, sink: Sink, job: str) -> Delivery:
    try:
        return sink.open(job)
    except ClientUnusable as error:
        raise SinkUnusable(where, error.what, error.advice) from error


def _named(config: Config) -> list[tuple[str, Any]]:
    """Sinks by type; a second one of a type gets a number."""
    seen: dict[str, int] = {}
    out = []
    for sink in config.sinks:
        kind = kind_of(sink)
        seen[kind] = seen.get(kind, 0) + 1
        out.append((kind if seen[kind] == 1 else f"{kind}-{seen[kind]}", sink))
    return out


def kind_of(part: Any) -> str:
    """The ``type`` of a source, format or sink."""
    return str(msgspec.inspect.type_info(type(part)).tag)  # type: ignore[attr-defined]  # parts are tagged structs
