"""The rules of a job and of its features: limits, and the policy by which they make verdicts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from detectors.decisions.budget import FalseAlarms
from detectors.durations import Duration, duration_ms
from detectors.statistics.catalogue import deciding_statistics

DEFAULT_STATISTIC: Final = "psi"
"""The statistic that decides if the rules name none, or one that a feature does not have."""

OF_EVIDENCE: Final = frozenset({"false_alarms", "effect", "early"})
"""The rules of the mode ``evidence`` alone."""

Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
SMALLEST_WEIGHT: Final = 1e-6
LARGEST_WEIGHT: Final = 1e6
WEIGHTS: Final = "0, or a number from 0.000001 to 1,000,000"
"""What a weight may be. The sum of a model's weights can neither overflow nor vanish."""
Weight = Annotated[float, msgspec.Meta(ge=0, le=LARGEST_WEIGHT, extra={"expected": WEIGHTS})]
"""The weight of a feature; the configuration is checked for those below the smallest one."""
Probability = Annotated[float, msgspec.Meta(gt=0, lt=1)]
ConditionText = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
"""A condition over the numbers of a report, see :mod:`detectors.decisions.conditions`."""
Statistic = Annotated[str, msgspec.Meta(extra_json_schema={"enum": deciding_statistics()})]
"""The name of a distance that decides. Editors see the names; the configuration is checked against
them after it is decoded, so that its errors are all of one kind."""


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits and the policy of a job.

    * ``k``, ``of``: a feature must violate in ``k`` of the last ``of`` windows that do not overlap.
    * ``alpha``: chance of a false verdict in one window, divided among the features.
    * ``limit``: the smallest distance that counts as drift, in the unit of the deciding statistic.
      Without it, ``comparison_threshold`` of the baseline's ``constraints.json`` is used: a gap
      between distribution functions, which each statistic translates into its own unit.
    * ``statistic``: the deciding statistic of features that name none.
    * ``min_n``: a window of fewer rows gets no verdict (``insufficient``).
    * ``cooldown``: for how long an open episode sends no further signal.
    * ``overwhelming_alpha``, ``overwhelming_n``: a single window is enough for a signal if its
      distance is above twice the limit and above the noise at this level, and it has at least this
      many rows.
    * ``type_match``, ``domain_match``: the share of values that must fit type and domain where
      ``constraints.json`` has the 1.0 that SageMaker writes, which would make a single malformed
      value a violation; set 1.0 here to have that. A threshold below 1.0 applies as it stands.
    * ``completeness_gap``: a loss of completeness up to this is not a violation.
    * ``false_alarms``, ``effect``: in the mode ``evidence``, the budget of false alarms and the
      smallest drift worth a signal; ``alpha``, ``limit``, ``min_n``, ``k``, ``of``, ``type_match``,
      ``domain_match``, ``overwhelming_alpha`` and ``overwhelming_n`` then judge what is not found
      by evidence: change detectors, checks of other distributions, and the quality of models.
    * ``negative_share``: the share of negative values that a feature may have if it had none in the
      baseline.
    * ``vanished_n``: a value has vanished if it does not occur although more than this many were
      expected.
    * ``conditions``: expressions over the numbers of a window's report, in the user's own words.
    """

    mode: Literal["evidence", "threshold", "sagemaker", "sagemaker-compat"] = "evidence"
    """How violations are found: by ``evidence`` over the last windows, within a budget of false
    alarms; by a ``threshold`` for a distance; with ``sagemaker``, by the six checks of SageMaker
    Model Monitor and the limits of ``constraints.json`` as they stand, with driftline's distances
    and an allowance for chance; or, with ``sagemaker-compat``, by the same six checks with
    SageMaker's own distance, strict shares and no allowance for chance. With the last, reports hold
    both numbers. ``limit``, ``min_n``, ``type_match``, ``domain_match``,
    ``completeness_gap``, ``negative_share`` and ``vanished_n`` have no effect on them.
    """
    k: Count = 2
    """A feature must violate in ``k`` of the last ``of`` windows that do not overlap."""
    of: Count = 3
    """The number of windows that ``k`` refers to."""
    alpha: Probability = 0.001
    """The chance of a false verdict in one window, divided among the features."""
    limit: Amount | None = None
    """The smallest distance that counts as drift, in the unit of the deciding statistic. Without it
    ``comparison_threshold`` of the baseline's ``constraints.json``, a gap between distribution
    functions.
    """
    statistic: Statistic = DEFAULT_STATISTIC
    """The deciding statistic of features that name none."""
    floor: Literal["noise", "none"] = "noise"
    """Whether a limit is at least as large as the ``noise`` of its window. With ``none`` a distance
    is compared with the limit as it stands, as other tools do, and chance gives violations.
    """
    min_n: Count = 100
    """A window of fewer rows gets no verdict (``insufficient``)."""
    false_alarms: FalseAlarms = "1 per 30d"
    """The number of false alarms that a model may give, over all features, windows, horizons and
    looks, if nothing has changed. Of the mode ``evidence``.
    """
    effect: Share = 0.02
    """The smallest drift that is worth a signal, as a Hellinger distance: a shift of the mean by
    0.06 deviations, or 0.08 % of new values. Of the mode ``evidence``.
    """
    early: bool = True
    """Whether open windows are judged too, once a second: a broken feature is signalled about a
    second after its first events, and not after its window. Of the mode ``evidence``.
    """
    cooldown: Duration | None = None
    """An episode that continues sends no further signal for this long, and for ``of`` windows at
    least. Without it ``24h`` in the mode ``evidence``, else ``30m``.
    """
    overwhelming_alpha: Probability = 1e-9
    """The noise level that a single window must exceed to be enough for a signal."""
    overwhelming_n: Count = 500
    """The number of rows that such a window must have; its distance must also be above twice the
    limit.
    """
    type_match: Share = 0.99
    """The share of values that must have the type of the baseline where
    ``datatype_check_threshold`` in ``constraints.json`` is the 1.0 that SageMaker writes. That
    makes a single malformed value a violation; set 1.0 here to have it. A threshold below 1.0
    applies as it stands.
    """
    domain_match: Share = 0.99
    """The share of values that must be in the domain of the baseline where
    ``domain_content_threshold`` in ``constraints.json`` is 1.0; one below 1.0 applies as it stands.
    """
    completeness_gap: Share | None = None
    """A loss of completeness up to this is not a violation. Without it 0.005 in the mode
    ``evidence``, 0.01 in the mode ``threshold``, else 0.
    """
    negative_share: Share = 0.001
    """The share of negative values that a feature may have if it had none in the baseline."""
    vanished_n: Amount = 30.0
    """A value has vanished if it does not occur although more than this many were expected."""
    conditions: Annotated[tuple[ConditionText, ...], msgspec.Meta(max_length=100)] = ()
    """Conditions in one line each over the numbers of a window's report, as
    ``outlier_share(prediction) > 0.05``: one that is met is a violation. They are not part of the
    budget of false alarms. See ``docs/conditions.md``.
    """

    @property
    def is_sagemaker(self) -> bool:
        """Whether the checks of SageMaker Model Monitor make the violations."""
        return self.mode == "sagemaker-compat"

    @property
    def of_model_monitor(self) -> bool:
        """Whether the mode is one of SageMaker's, by whatever checks."""
        return self.mode in ("sagemaker", "sagemaker-compat")

    @property
    def by_evidence(self) -> bool:
        """Whether tests over the last windows make the violations."""
        return self.mode == "evidence"

    @property
    def least_rows(self) -> int:
        """The rows below which a window has no verdict: ``min_n``; 1 by evidence and SageMaker."""
        return 1 if self.is_sagemaker or self.by_evidence else self.min_n

    @property
    def effective_cooldown(self) -> str:
        """``cooldown``, or that of the mode."""
        return self.cooldown or ("24h" if self.by_evidence else "30m")

    @property
    def cooldown_ms(self) -> int:
        """The cool-down in milliseconds."""
        return duration_ms(self.effective_cooldown)

    @property
    def least_type_match(self) -> float:
        """``type_match``; 1 by evidence, where the effect decides, and in SageMaker's modes."""
        return self.type_match if self.mode == "threshold" else 1.0

    @property
    def least_domain_match(self) -> float:
        """``domain_match``; 1 by evidence, where the effect decides, and in SageMaker's modes."""
        return self.domain_match if self.mode == "threshold" else 1.0

    @property
    def tolerated_loss(self) -> float:
        """``completeness_gap``, or that of the mode."""
        if self.completeness_gap is not None:
            return self.completeness_gap
        return {"evidence": 0.005, "threshold": 0.01}.get(self.mode, 0.0)


class FeatureRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules of one feature: limits or a statistic of its own, or no judgement at all."""

    limit: Amount | None = None
    """The feature's own limit; without it that of ``rules``."""
    statistic: Statistic | None = None
    """The feature's own deciding statistic; without it that of ``rules``."""
    effect: Share | None = None
    """The feature's own smallest drift that is worth a signal; without it that of ``rules``."""
    weight: Weight = 1.0
    """The feature's part of the budget of false alarms, in proportion to those of the others: from
    0.000001 to 1000000, or 0: it is reported and never signalled. A weight in ``weights`` of the
    model goes first. Of the mode ``evidence``.
    """
    enabled: bool = True
    """Whether the feature is judged at all."""


def rule_values(rules: Rules) -> dict[str, float | int | str]:
    """The rules as a report names them; those that are not set or not of the mode are left out.

    Conditions are one text, with one condition a line.
    """
    values = msgspec.structs.asdict(rules) | {
        "cooldown": rules.effective_cooldown,
        "completeness_gap": rules.tolerated_loss,
        "early": int(rules.early),
        "conditions": "\n".join(rules.conditions) or None,
    }
    if not rules.by_evidence:
        values = {name: value for name, value in values.items() if name not in OF_EVIDENCE}
    return {name: value for name, value in values.items() if value is not None}
