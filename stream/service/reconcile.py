"""Decides how a job continues from a stored state under a configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from detectors.decisions.judge import Judge
from detectors.decisions.limits import Limits
from detectors.profiles.baseline import Baseline, Constraints
from detectors.quality.baseline import QualityBaseline
from stream.baselining.columns import columns_by_model, model_columns
from stream.config.model import Config
from stream.config.timing import settings_of
from stream.config.weights import rules_of_features
from stream.errors import StateIncompatible
from stream.event_time import JobSettings
from stream.events import ForgetQuality, RemoveModel, ReplaceBaseline, RestartJoin
from stream.service.quality import join_rule, panes_of, problem_text
from stream.state.identity import StateIdentity
from stream.state.stored import StoredState

OTHER_JOB: Final = (
    "Use another `job` name or state path for the new configuration, or restore the old one"
)
ACCEPT_CHANGE: Final = (
    "`--accept-change` closes the open windows as incomplete and continues with the new one"
)
RESTART_JOIN: Final = (
    "`--accept-change` reports all quality windows as final, also those still open, and joins anew:"
    " predictions that wait for labels now expire"
)
FORGET_QUALITY: Final = (
    "`--accept-change` forgets the quality of its windows so far, also of those still open"
)


class ConfiguredJob(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration and the baseline of each of its models, empty where it is to be learned.

    ``config`` names the classes of all binary models; ``quality`` are the baselines of quality.
    """

    config: Config
    baselines: Mapping[str, Baseline]
    quality: Mapping[str, QualityBaseline | None] = {}

    @property
    def meanings(self) -> dict[str, str]:
        """What the labels of each model mean, in words."""
        return {
            name: problem_text(model.quality, self.quality.get(name))
            for name, model in self.config.models.items()
            if model.quality is not None
        }

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each configured baseline; empty where it is to be learned."""
        models = self.config.models
        return {
            name: "" if models[name].learned else baseline.fingerprint
            for name, baseline in self.baselines.items()
        }


class LimitsChange(msgspec.Struct, frozen=True, kw_only=True):
    """A model with other limits than in the last run, and both fingerprints."""

    model: str
    before: str
    after: str


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """The start of a job: the baselines in force, and the changes to apply first.

    * ``identity``: the identity of the state in the next commit.
    * ``in_force``: the baseline that the open windows of each model were counted with, and its
      constraints. Models that are no longer configured are among them.
    * ``changes``: to apply, in this order, before anything is read.
    * ``closing``: the settings under which open windows close as incomplete, because windows had
      another length; ``None`` if the length is the same.
    * ``learning``: models with columns that must still be learned.
    * ``limits``: all limits that a report may name from now on.
    * ``limits_changes``: models that are judged by other limits than in the last run.
    * ``label_changes``: changes of the join, to apply before anything is read.
    """

    identity: StateIdentity
    in_force: Mapping[str, Baseline]
    changes: tuple[ReplaceBaseline | RemoveModel, ...] = ()
    closing: JobSettings | None = None
    learning: tuple[str, ...] = ()
    limits: tuple[Limits, ...] = ()
    limits_changes: tuple[LimitsChange, ...] = ()
    label_changes: tuple[ForgetQuality | RestartJoin, ...] = ()


def reconcile(
    configured: ConfiguredJob, stored: StoredState | None, accept_change: bool = False
) -> Reconciliation:
    """Compare the configuration with the last commit (``None`` if there is none).

    A changed job or source is refused. A changed baseline (layout, counts, columns) or window
    length needs ``accept_change``. A model may be added or removed, and limits may change, without
    it: constraints, rules and change detectors apply from the next window on.

    Raises :class:`~stream.errors.StateIncompatible` naming the first difference that is refused,
    :class:`~stream.errors.BaselineMismatch` if a baseline in force does not fit the configured
    columns.
    """
    if stored is not None:
        _refuse(configured, stored.identity, accept_change)
    in_force = _in_force(configured, stored)
    changes = tuple(_changes(configured, stored))
    replaced = replacements(changes)
    after = {**in_force, **replaced}
    judge = judge_of(configured.config)
    limits = {name: judge.limits(name, baseline.constraints) for name, baseline in after.items()}
    old_limits = [judge.limits(name, in_force[name].constraints) for name in replaced]
    identity = _identity(configured, stored, limits)
    return Reconciliation(
        identity=identity,
        in_force=in_force,
        changes=changes,
        closing=_closing(configured.config, stored),
        learning=_learning(configured.config, after),
        limits=(*limits.values(), *old_limits),
        limits_changes=tuple(_limits_changes(configured.config, stored, identity)),
        label_changes=tuple(_label_changes(configured, stored)),
    )


def replacements(changes: Iterable[ReplaceBaseline | RemoveModel]) -> dict[str, Baseline]:
    """The new baseline of each model whose baseline is replaced."""
    return {
        change.model: change.baseline for change in changes if isinstance(change, ReplaceBaseline)
    }


def judge_of(config: Config, generation: str = "", kind: type[Judge] = Judge) -> Judge:
    """The judge with the rules, per-feature rules and change detectors of a configuration."""
    features = {name: rules_of_features(model) for name, model in config.models.items()}
    changes = {name: model.change_detectors for name, model in config.models.items()}
    return kind(
        job=config.job,
        rules=config.rules,
        features=features,
        changes=changes,
        expose_values=config.expose_values,
        generation=generation,
        every_ms=config.every_ms,
    )


def require_same_job(stored: StateIdentity, config: Config) -> None:
    """Raise :class:`~stream.errors.StateIncompatible` for the state of another job."""
    _require("job", stored.job, config.job, OTHER_JOB)


def _refuse(configured: ConfiguredJob, stored: StateIdentity, accept_change: bool) -> None:
    config = configured.config
    settings = settings_of(configured.config)
    require_same_job(stored, config)
    _require("source", stored.source, config.source.identity, OTHER_JOB)
    if config.labels is not None and stored.labels:
        _require("labels.source", stored.labels, config.labels.source.identity, OTHER_JOB)
    if accept_change:
        return
    _require("window", f"{stored.window_ms} ms", f"{settings.window_ms} ms", ACCEPT_CHANGE)
    _require("every", f"{stored.every_ms} ms", f"{settings.every_ms} ms", ACCEPT_CHANGE)
    for name, fingerprint in configured.fingerprints.items():
        before = stored.configured.get(name, fingerprint) or "learned"
        _require(f"baseline of model {name!r}", before, fingerprint or "learned", ACCEPT_CHANGE)
    _refuse_labels(configured, stored)


def _refuse_labels(configured: ConfiguredJob, stored: StateIdentity) -> None:
    config = configured.config
    if config.labels is None or not stored.labels:
        return
    _require("labels", stored.join, join_rule(config), RESTART_JOIN)
    meanings = configured.meanings
    for name, meaning in meanings.items():
        before = stored.quality.get(name, meaning)
        _require(f"quality of model {name!r}", before, meaning, FORGET_QUALITY)


def _require(field: str, stored: str, configured: str, advice: str) -> None:
    if stored != configured:
        raise StateIncompatible(field, stored, configured, advice)


def _in_force(configured: ConfiguredJob, stored: StoredState | None) -> dict[str, Baseline]:
    """The baselines that the state was counted with, in its order, then those of new models."""
    counted = {} if stored is None else dict(_counted(configured, stored))
    new = {name: base for name, base in configured.baselines.items() if name not in counted}
    return {**counted, **new}


def _counted(configured: ConfiguredJob, stored: StoredState) -> Iterator[tuple[str, Baseline]]:
    """The baseline of each model in the state, with the constraints that judge its open windows.

    A model that continues has the constraints, the references and the seasons of its configured
    folder. One that is removed or gets another baseline keeps those of its last window.
    """
    for name, baseline in stored.baselines.items():
        continues = name in configured.baselines and not _is_replaced(name, configured, stored)
        if continues and not configured.config.models[name].learned:
            anew = configured.baselines[name]
            constrained = baseline.constrained(_constraints(anew, baseline))
            # Seasons of the folder know nothing of columns that were learned from events.
            is_same = anew.layout.fingerprint == baseline.layout.fingerprint
            seasons = anew.seasons if is_same else None
            yield name, constrained.referenced(anew.references).seasonal(seasons)
        elif not continues and name in stored.limits:
            yield name, baseline.constrained(stored.limits[name].constraints)
        else:
            yield name, baseline


def _constraints(configured: Baseline, counted: Baseline) -> Constraints:
    """The configured constraints, and the learned ones of columns that the folder does not have."""
    learned = {
        name: constraint
        for name, constraint in counted.constraints.features.items()
        if name not in configured.columns
    }
    features = {**learned, **configured.constraints.features}
    return Constraints(features, configured.constraints.thresholds)


def _is_replaced(name: str, configured: ConfiguredJob, stored: StoredState) -> bool:
    fingerprint = configured.fingerprints[name]
    return stored.identity.configured.get(name, fingerprint) != fingerprint


def _changes(
    configured: ConfiguredJob, stored: StoredState | None
) -> Iterator[ReplaceBaseline | RemoveModel]:
    """The changes to apply: removals first, then replacements."""
    if stored is None:
        return
    for name in stored.baselines:
        if name not in configured.baselines:
            yield RemoveModel(name)
    for name, baseline in configured.baselines.items():
        if name in stored.baselines and _is_replaced(name, configured, stored):
            columns = model_columns(configured.config, name, baseline)
            yield ReplaceBaseline(name, baseline, learning=bool(columns.unlearned))


def _label_changes(
    configured: ConfiguredJob, stored: StoredState | None
) -> Iterator[ForgetQuality | RestartJoin]:
    """The changes of labels to apply: models without quality or with another one, another rule."""
    if stored is None or configured.config.labels is None or not stored.identity.labels:
        return
    meanings = configured.meanings
    unknown_panes = _other_panes(configured.config, stored.identity)
    for name, before in stored.identity.quality.items():
        if unknown_panes or meanings.get(name, "") != before:
            yield ForgetQuality(name)
    if stored.identity.join != join_rule(configured.config):
        yield RestartJoin()


def _other_panes(config: Config, stored: StateIdentity) -> bool:
    """Return whether windows got another length while the job had no labels.

    What is known of quality cannot be reported then: its panes do not fit the windows.
    """
    settings = settings_of(config)
    same = (stored.window_ms, stored.every_ms) == (settings.window_ms, settings.every_ms)
    return same and panes_of(stored.join) != panes_of(join_rule(config))


def _closing(config: Config, stored: StoredState | None) -> JobSettings | None:
    """The settings with the window length of the state, if that differs; else ``None``."""
    if stored is None:
        return None
    settings, identity = settings_of(config), stored.identity
    if (identity.window_ms, identity.every_ms) == (settings.window_ms, settings.every_ms):
        return None
    return msgspec.structs.replace(
        settings,
        window_ms=identity.window_ms,
        every_ms=identity.every_ms,
        schedules_ms=tuple(sorted(stored.state.schedules)),
    )


def _learning(config: Config, baselines: Mapping[str, Baseline]) -> tuple[str, ...]:
    """The models with columns that their baseline lacks."""
    columns = columns_by_model(config, baselines)
    return tuple(name for name, of_model in columns.items() if of_model.unlearned)


def _identity(
    configured: ConfiguredJob, stored: StoredState | None, limits: Mapping[str, Limits]
) -> StateIdentity:
    """The identity to commit; it keeps the entries of models that are no longer configured."""
    config = configured.config
    settings = settings_of(configured.config)
    kept_configured = stored.identity.configured if stored else {}
    kept_limits = stored.identity.limits if stored else {}
    return StateIdentity(
        job=config.job,
        source=config.source.identity,
        window_ms=settings.window_ms,
        every_ms=settings.every_ms,
        configured={**kept_configured, **configured.fingerprints},
        limits={**kept_limits, **{name: limits[name].fingerprint for name in config.models}},
        labels=config.labels.source.identity if config.labels else _stored_labels(stored)[0],
        join=join_rule(config) if config.labels else _stored_labels(stored)[1],
        quality=configured.meanings if config.labels else _stored_labels(stored)[2],
    )


def _stored_labels(stored: StoredState | None) -> tuple[str, str, dict[str, str]]:
    """The labels of a state, which is kept while the configuration has none."""
    if stored is None:
        return "", "", {}
    identity = stored.identity
    return identity.labels, identity.join, identity.quality


def _limits_changes(
    config: Config, stored: StoredState | None, identity: StateIdentity
) -> Iterator[LimitsChange]:
    before = {} if stored is None else stored.identity.limits
    for name in config.models:
        if name in before and before[name] != identity.limits[name]:
            yield LimitsChange(model=name, before=before[name], after=identity.limits[name])
