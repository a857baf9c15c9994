"""Puts a job together from its configuration: store, aggregator, reader, sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from detectors.decisions.judge import Judge
from detectors.profiles.baseline import Baseline
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.state import JobState
from stream.baselining.build import learn_from_samples
from stream.baselining.configured import configured_baselines
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.dedupe.index import DEDUPE_OFF, IdIndex
from stream.event_time import JobSettings
from stream.events import BaselineInstalled, Output, RemoveModel, ReplaceBaseline
from stream.readers.build import columns_now, model_columns
from stream.state.event_ids import SqliteIds
from stream.state.file_lock import FileLock
from stream.state.panes import SqlitePanes
from stream.state.store import StateIdentity, Store


class Job(NamedTuple):
    """The parts of a running job. ``told`` is what the changes since the last run have to say: it
    goes out with the first commit.
    """

    config: Config
    identity: StateIdentity
    store: Store
    aggregator: Aggregator
    panes: SqlitePanes
    ids: SqliteIds
    told: list[Output]


def identity_of(config: Config, baselines: Mapping[str, Baseline]) -> StateIdentity:
    """What a state of this configuration belongs to; ``baselines`` are those that it names."""
    fingerprints = {
        name: "" if config.models[name].learned else baseline.fingerprint
        for name, baseline in baselines.items()
    }
    settings = settings_of(config)
    return StateIdentity(
        config.job,
        config.source.identity,
        settings.window_ms,
        settings.every_ms,
        configured=fingerprints,
    )


def open_job(config: Config, accept_change: bool = False, lock: FileLock | None = None) -> Job:
    """Open the store (under ``lock``, if it is held already) and build the aggregator on what it
    holds; closes it again if that fails.
    """
    wanted, settings = configured_baselines(config), settings_of(config)
    identity = identity_of(config, wanted)
    store = Store(Path(config.state.path), lock)
    try:
        state, stored = store.load(identity, accept_change), store.identity()
        in_force, changes = _in_force(config, store, stored, state, wanted)
        identity = msgspec.structs.replace(
            identity, configured={**(stored.configured if stored else {}), **identity.configured}
        )
        for baseline in (*wanted.values(), *in_force.values()):
            store.keep_baseline(baseline)
        panes = store.panes(baseline.layout for baseline in in_force.values())
        state.ledger.rows_in_panes = panes.rows()
        told = _cut(settings, stored, in_force, judge_of(config), state, panes)
        next_ones = {
            change.model: change.baseline
            for change in changes
            if isinstance(change, ReplaceBaseline)
        }
        ids = store.ids()
        memory = IdIndex(config.dedupe, ids) if config.dedupe else DEDUPE_OFF
        learning = [
            name
            for name, columns in columns_now(config, {**in_force, **next_ones}).items()
            if columns.unlearned
        ]
        aggregator = Aggregator(
            settings,
            in_force,
            judge_of(config),
            state,
            panes,
            partial(_learn, config),
            learning,
            memory,
        )
        told += [
            output
            for change in changes
            for output in aggregator.step(change)
            if not isinstance(output, BaselineInstalled)
        ]
        for baseline in next_ones.values():
            panes.know(baseline.layout)
    except BaseException:
        store.close()
        raise
    return Job(config, identity, store, aggregator, panes, ids, told)


def _in_force(
    config: Config,
    store: Store,
    stored: StateIdentity | None,
    state: JobState,
    wanted: Mapping[str, Baseline],
) -> tuple[dict[str, Baseline], list[ReplaceBaseline | RemoveModel]]:
    """The baselines that the state was counted with, and the changes to what is wanted now."""
    out: dict[str, Baseline] = {}
    changes: list[ReplaceBaseline | RemoveModel] = []
    for name, model in state.models.items():
        before = store.baseline(model.baseline)
        if before is not None:
            out[name] = before
            if name not in wanted:
                changes.append(RemoveModel(name))
    configured = identity_of(config, wanted).configured
    for name, baseline in wanted.items():
        new = configured[name]
        if name in out and stored is not None and stored.configured.get(name, new) != new:
            changes.append(
                ReplaceBaseline(
                    name, baseline, bool(model_columns(config, name, baseline).unlearned)
                )
            )
        out.setdefault(name, baseline)
    return out, changes


def _cut(
    settings: JobSettings,
    stored: StateIdentity | None,
    in_force: Mapping[str, Baseline],
    judge: Judge,
    state: JobState,
    panes: SqlitePanes,
) -> list[Output]:
    """If windows were of another length before, the reports on those that are open, as
    ``incomplete``.
    """
    if stored is None or (stored.window_ms, stored.every_ms) == (
        settings.window_ms,
        settings.every_ms,
    ):
        return []
    before = msgspec.structs.replace(settings, window_ms=stored.window_ms, every_ms=stored.every_ms)
    watched = {name: baseline for name, baseline in in_force.items() if name in state.models}
    return Aggregator(before, watched, judge, state, panes).cut()


def _learn(config: Config, name: str, known: Baseline, samples: Sequence[bytes]) -> Baseline:
    columns = model_columns(config, name, known)
    return learn_from_samples(known, samples, config.learn.events, columns.outputs, columns.inputs)


def judge_of(config: Config) -> Judge:
    """The judge with the rules, per-feature rules and change detectors of a configuration."""
    features = {name: model.features for name, model in config.models.items()}
    changes = {name: model.change_detectors for name, model in config.models.items()}
    return Judge(config.job, config.rules, features, changes, config.expose_values)
