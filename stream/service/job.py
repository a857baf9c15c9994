"""Opens a job: reads the stored state, reconciles it with the configuration, and applies that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from detectors.decisions.judge import Judge
from detectors.profiles.baseline import Baseline
from detectors.quality.baseline import QualityBaseline
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.labels import LabelParts
from stream.aggregation.state import JobState
from stream.baselining.build import learn_from_samples
from stream.baselining.columns import model_columns
from stream.baselining.configured import configured_baselines
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.dedupe.index import DEDUPE_OFF, IdIndex
from stream.events import (
    BaselineInstalled,
    ForgetQuality,
    Output,
    RemoveModel,
    ReplaceBaseline,
    RestartJoin,
)
from stream.service.generation import begun_generation
from stream.service.quality import label_parts, with_quality_baselines
from stream.service.reconcile import (
    ConfiguredJob,
    LimitsChange,
    Reconciliation,
    judge_of,
    reconcile,
    replacements,
    require_same_job,
)
from stream.service.seasons import season_plans
from stream.state.file_lock import FileLock
from stream.state.identity import StateIdentity
from stream.state.store import Store
from stream.state.tables import StateTables


class Job(msgspec.Struct, kw_only=True):
    """An open job.

    ``configured`` are the baselines of the configuration, as they were read. ``identity`` is the
    identity of the state in the next commit. ``pending`` are the outputs of the changes since the
    last run; they are delivered after the first commit. ``limits_changes`` are the models that are
    judged by other limits than in the last run, and ``label_changes`` what was changed about the
    join. ``generation`` is the one of its reports.
    """

    config: Config
    configured: Mapping[str, Baseline]
    identity: StateIdentity
    store: Store
    aggregator: Aggregator
    tables: StateTables
    pending: list[Output]
    limits_changes: Sequence[LimitsChange]
    generation: str = ""
    label_changes: Sequence[ForgetQuality | RestartJoin] = ()

    def install(self, model: str, baseline: Baseline) -> None:
        """Archive a learned baseline and its limits, which reports name from now on."""
        limits = judge_of(self.config).limits(model, baseline.constraints)
        self.store.keep([baseline], [limits])
        self.tables.add_layout(baseline.layout)
        in_force = {**self.identity.limits, model: limits.fingerprint}
        self.identity = msgspec.structs.replace(self.identity, limits=in_force)


def open_job(
    config: Config,
    accept_change: bool = False,
    lock: FileLock | None = None,
    from_start: bool = False,
    baselines: Mapping[str, Baseline] | None = None,
    quality: Mapping[str, QualityBaseline | None] | None = None,
) -> Job:
    """Open the store, and build the aggregator on the stored state.

    ``baselines`` are those of the configuration, and ``quality`` those of the quality of its
    models; without them they are read from their folders. ``lock`` is passed on to the store. With
    ``from_start``, the stored state is forgotten first
    (:func:`stream.service.generation.begun_generation`). Raises the errors of
    :func:`stream.service.reconcile.reconcile`, of :class:`stream.state.store.Store` and of the
    baselines, after closing the store again.
    """
    if baselines is None:
        baselines = configured_baselines(config)
    if quality is None:
        config, quality = with_quality_baselines(config)
    configured = ConfiguredJob(config=config, baselines=baselines, quality=quality)
    store = Store(Path(config.state.path), lock)
    try:
        stored = store.load()
        if from_start and stored is not None:
            require_same_job(stored.identity, config)
            stored = None
        plan = reconcile(configured, stored, accept_change)
        generation = begun_generation(config, store, time.time(), from_start)
        state = JobState() if stored is None else stored.state
        return _carry_out(plan, configured, store, state, generation)
    except BaseException:
        store.close()
        raise


def _carry_out(
    plan: Reconciliation, configured: ConfiguredJob, store: Store, state: JobState, generation: str
) -> Job:
    """Apply the plan to the stored state; archive what reports may name from now on."""
    config = configured.config
    replaced = replacements(plan.changes)
    store.keep([*plan.in_force.values(), *replaced.values()], plan.limits)
    tables = store.tables(baseline.layout for baseline in plan.in_force.values())
    state.ledger.rows_in_panes = tables.panes.rows()
    judge = judge_of(config, generation)
    labels = label_parts(config, configured.quality, tables, generation)
    pending = _close_windows(plan, judge, state, tables, _continued(labels, plan))
    aggregator = _aggregator(plan, config, judge, state, tables, labels)
    pending += _apply([*plan.changes, *plan.label_changes], aggregator)
    for baseline in replaced.values():
        tables.add_layout(baseline.layout)
    return Job(
        config=config,
        configured=configured.baselines,
        identity=plan.identity,
        store=store,
        aggregator=aggregator,
        tables=tables,
        pending=pending,
        limits_changes=plan.limits_changes,
        generation=generation,
        label_changes=plan.label_changes,
    )


def _aggregator(
    plan: Reconciliation,
    config: Config,
    judge: Judge,
    state: JobState,
    tables: StateTables,
    labels: LabelParts | None,
) -> Aggregator:
    """The aggregator that continues from the stored state."""
    return Aggregator(
        settings=settings_of(config),
        baselines=plan.in_force,
        judge=judge,
        state=state,
        panes=tables.panes,
        learn=partial(_learn, config),
        learning=plan.learning,
        ids=IdIndex(config.dedupe, tables.ids) if config.dedupe else DEDUPE_OFF,
        labels=labels,
        periods=tables.periods,
        histories=tables.histories,
        seasons=tables.seasons,
        season_plans=season_plans(config),
    )


def _apply(
    changes: Sequence[ReplaceBaseline | RemoveModel | ForgetQuality | RestartJoin],
    aggregator: Aggregator,
) -> list[Output]:
    """Apply the changes of models and labels; return the outputs but those of new baselines."""
    outputs = [output for change in changes for output in aggregator.step(change)]
    return [output for output in outputs if not isinstance(output, BaselineInstalled)]


def _continued(labels: LabelParts | None, plan: Reconciliation) -> LabelParts | None:
    """Return the parts with the models whose quality means the same as in the last run."""
    if labels is None:
        return None
    forgotten = [each.model for each in plan.label_changes if isinstance(each, ForgetQuality)]
    kept = {name: model for name, model in labels.models.items() if name not in forgotten}
    return labels._replace(models=kept)


def _close_windows(
    plan: Reconciliation,
    judge: Judge,
    state: JobState,
    tables: StateTables,
    labels: LabelParts | None,
) -> list[Output]:
    """Close the open windows as ``incomplete`` where windows had another length in the last run."""
    if plan.closing is None:
        return []
    counted = {name: base for name, base in plan.in_force.items() if name in state.models}
    return Aggregator(
        settings=plan.closing,
        baselines=counted,
        judge=judge,
        state=state,
        panes=tables.panes,
        labels=labels,
        periods=tables.periods,
        histories=tables.histories,
    ).close_early()


def _learn(config: Config, name: str, known: Baseline, samples: Sequence[bytes]) -> Baseline:
    """The baseline of a model after its first events: columns that ``known`` lacks are learned."""
    columns = model_columns(config, name, known)
    learned = learn_from_samples(
        known=known,
        samples=samples,
        outputs=columns.outputs,
        inputs=columns.inputs,
        joint=_learned_pairs(config, name),
    )
    return learned if settings_of(config).keep_values else learned.referenced({})


def _learned_pairs(config: Config, name: str) -> list[str] | None:
    """The features that a learned baseline counts in pairs: names, none for the usual ones."""
    joint = config.models[name].joint
    return None if joint is None else joint.features or []
