"""The published results: the report of a window, and the signal of an episode.

These structs are the published schemas. ``version`` is raised when a field changes its meaning or
is removed; readers must ignore fields that they do not know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.early_finding import EarlyFinding
from detectors.finding import Evidence, EvidenceFinding
from detectors.joint_report import JointReport
from detectors.p_values import nearness
from detectors.quality_report import QualityEvidence
from detectors.violation import Action, SharedCause, Violation

REPORT_VERSION = 1
SIGNAL_VERSION = 1
State = Literal[
    "ok", "violations", "insufficient", "no data", "no inputs", "incomplete", "learning"
]
Verdict = Literal["ok", "violation", "insufficient", "disabled"]
SignalKind = Literal["opened", "worsened", "reminder", "recovered"]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one feature on one side: in the baseline, or in a window.

    They have the meaning of the fields of :class:`FeatureReport` with the same names. In signals
    ``min`` and ``max`` are null unless ``expose_values`` is set, because they are values.
    """

    n: int
    """The number of rows."""
    missing: int
    """Rows without a value."""
    completeness: float | None
    """The share of rows with a value; null without rows."""
    types: dict[str, float]
    """The share of each written type among present values."""
    mean: float | None
    """The mean of the finite numbers; null without any."""
    std: float | None
    """Their population standard deviation; null without any."""
    min: float | None
    """The smallest of them; null without any."""
    max: float | None
    """The largest of them; null without any."""


class SagemakerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The distance of a feature as SageMaker Model Monitor computes it."""

    method: Literal["Robust", "Simple", "LInfinity", "ChiSquared"]
    """The method: the first two compare numbers, the others text."""
    distance: float | None
    """The number that is compared with the threshold; null where it is not defined."""
    uncorrected: float | None
    """The distance before the correction for small samples; null where it is not defined."""
    n: float
    """The total weight of the window: its distinct values as long as it has at most 2,050 rows."""
    m: float
    """The total weight of the baseline."""
    threshold: float
    """The threshold of the baseline's ``constraints.json``."""
    exceeds: bool
    """Whether the distance violates the threshold."""


class FeatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one feature in one window.

    ``n`` counts rows, ``completeness`` is the share of rows with a value. ``types`` holds the
    shares of the written types among present values. Moments are over finite numbers, null if there
    are none. ``distances`` maps the name of each statistic to its value, null where it is not
    defined. ``deciding`` names the statistic that decides, and ``value`` is its value. It was
    compared with ``limit``: the larger of ``asked_limit`` (from configuration or baseline) and
    ``noise``, or ``asked_limit`` alone where ``constraints.json`` compares by ``Simple``. A p-value
    (``chi_squared``) violates below its ``limit``, all other statistics above it. ``enabled`` is
    false where the feature's checks are off. ``baseline`` holds the same numbers of the baseline.
    ``emitted`` is false where ``constraints.json`` switches the feature's metrics off.
    """

    name: str
    """The name of the column."""
    role: str
    """``feature`` or ``prediction``."""
    type: str
    """The type in the baseline."""
    n: int
    """The number of rows."""
    missing: int
    """Rows without a value."""
    completeness: float | None
    """The share of rows with a value; null without rows."""
    nan: int
    """Values that are NaN."""
    inf: int
    """Values that are infinite."""
    types: dict[str, float]
    """The share of each written type among present values."""
    mean: float | None
    """The mean of the finite numbers; null without any."""
    std: float | None
    """Their population standard deviation; null without any."""
    sum: float | None
    """Their sum; null without any."""
    min: float | None
    """The smallest of them; null without any."""
    max: float | None
    """The largest of them; null without any."""
    outlier_share: float | None
    """The share of numbers outside of the baseline's range; null without any."""
    distances: dict[str, float | None]
    """The value of each statistic; null where it is not defined."""
    deciding: str
    """The deciding statistic."""
    value: float | None
    """Its value; null where it is not defined."""
    limit: float | None
    """The limit that it was compared with: the larger of ``asked_limit`` and ``noise``. With
    ``comparison_method: Simple``, and of the p-value ``chi_squared``, it is ``asked_limit``. A
    p-value violates below its limit.
    """
    noise: float | None
    """The noise floor: the statistic exceeds it by chance only, at the configured level. Of a
    p-value it is that level itself.
    """
    asked_limit: float | None
    """The limit of the configuration or of the baseline."""
    enabled: bool
    """False where the feature's checks are off."""
    verdict: Verdict
    """The verdict on the feature, by all of its checks."""
    baseline: Figures | None = None
    """The same numbers of the baseline; null in reports of 0.1.0."""
    sagemaker: SagemakerFigures | None = None
    """SageMaker's own distance; null unless it was computed (``rules.mode``, or a schedule).
    """
    emitted: bool = True
    """Whether its metrics are put into CloudWatch: false where ``emit_metrics`` in
    ``constraints.json`` is ``Disabled``.
    """

    evidence: Evidence | None = None
    """What the tests of the feature found, and what they were allowed; null unless ``rules.mode``
    is ``evidence``.
    """

    @property
    def nearness(self) -> float:
        """How near the feature is to a violation: 1 at it, more beyond; 0 if undefined.

        By its evidence if there is any, else by its deciding statistic; see
        :func:`detectors.p_values.nearness`.
        """
        if self.evidence is not None:
            return self.evidence.nearness
        if self.value is None or self.limit is None:
            return 0.0
        return nearness(self.deciding, self.value, self.limit)


class ComparedSeason(msgspec.Struct, frozen=True, kw_only=True):
    """The season of the baseline that a window was compared with."""

    name: str
    """Its values of the calendar, as ``hour_of_day 7, weekend``; ``the whole baseline`` where it
    has too few rows.
    """
    version: str
    """The fingerprint of all seasons of the baseline."""
    rows: int
    """The number of its rows."""


class SegmentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the rows of a window, and the feature of it that moved most."""

    by: str
    """The column whose values divide the rows."""
    value: str
    """Its value, as ``BR``, or ``value #k`` unless ``expose_values`` is set; ``all others`` for the
    rows with another value, or without any.
    """
    rows: int
    """The number of rows of the segment."""
    share: float | None
    """Their share of the rows of the window; null without rows."""
    baseline_share: float
    """The share that the segment has in the baseline."""
    feature: str
    """The feature that is nearest to a violation; empty where none is judged."""
    finding: EvidenceFinding | None
    """The test of that feature, with its p-value, effect, and what it was allowed; null where none
    is judged.
    """
    violates: bool
    """Whether a feature has moved in the segment by evidence."""
    factor: float = 1.0
    """The design effect of its rows of that feature, as in the evidence of a feature."""
    lingering: tuple[str, ...] = ()
    """Features of the segment that are in the open episode, and whose drift is still there."""


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics, violations and state of one model and variant in one window.

    ``id`` is ``job/model/variant/start_ms/end_ms/baseline/revision``, and ``/generation`` after it
    where there is one: an id never has two contents. A report with the state "no data" covers a
    silence: ``end_ms`` is null in the report of its start, and set in a second report, of its end.
    ``limits`` is the fingerprint of the constraints, rules and change detectors that the window was
    judged with (empty in reports of 0.1.0, "-" where nothing was judged); ``rules`` holds the rules
    among them. ``profile`` holds the window's encoded counts, from which ``driftline explain``
    recomputes each number, but for SageMaker's distance of a window of many values.
    """

    version: int
    """The version of this schema."""
    id: str
    """``job/model/variant/start_ms/end_ms/baseline/revision``, then ``/generation`` if there is
    one; an id never has two contents.
    """
    job: str
    """The job."""
    model: str
    """The model."""
    variant: str
    """The variant."""
    start_ms: int
    """The start of the window, in milliseconds since 1970."""
    end_ms: int | None
    """The end of the window; null while ``no data`` lasts."""
    revision: int
    """0 for the first report of a window; each later one counts late events too."""
    state: State
    """The state of the window."""
    rows: int
    """The number of rows in the window."""
    baseline: str
    """The fingerprint of the baseline."""
    layout: str
    """The fingerprint of its bins."""
    limits: str = ""
    """The fingerprint of the limits in force: constraints, rules and change detectors."""
    features: tuple[FeatureReport, ...] = ()
    """The numbers of each feature."""
    violations: tuple[Violation, ...] = ()
    """The constraints that the window violates."""
    rules: dict[str, float | int | str] = {}
    """The rules in force."""
    notes: tuple[str, ...] = ()
    """The reasons why the window is incomplete or insufficient, and what limits the evidence on all
    features at once, in sentences.
    """
    profile: bytes = b""
    """The encoded counts, in base64 in JSON; ``driftline explain`` recomputes each number from
    them.
    """
    pooled: bytes = b""
    """The tallies of several windows together from which findings of violations were computed, and
    those of segments that moved, encoded, in base64 in JSON; empty if there is no such finding.
    """
    generation: str = ""
    """When the job began anew, if it did after it had published reports (without its state, or with
    ``--from-start``): a time in UTC. Empty for the first generation.
    """
    expected_rows: float | None = None
    """The number of rows that windows at this hour of the week usually have; null as long as it is
    not known, and where no condition asks for it.
    """
    season: ComparedSeason | None = None
    """The season of the baseline that the window was compared with, and so the numbers in
    ``baseline`` of each feature; null if the baseline has no seasons.
    """
    joint: JointReport | None = None
    """The dependence of the features that are counted in pairs; null unless ``joint`` of the model
    asks for it.
    """
    segments: tuple[SegmentReport, ...] = ()
    """The segments of the rows that moved most, 20 at most, worst first, and after them any other
    with features of the open episode; empty unless the model has ``segments``. The counts of all of
    them are in ``profile``.
    """

    @property
    def in_silence(self) -> bool:
        """Whether this is a window without events, which is reported as it meets a condition.

        The silence that it lies in is in reports of its own, with the state "no data".
        """
        checks = {violation.check for violation in self.violations}
        return not self.rows and checks == {"condition_check"}


class SignalledFeature(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a feature of a signal, in the window of the signal and in the baseline."""

    name: str
    """The name of the column."""
    verdict: Verdict
    """The verdict on the feature in the window."""
    statistic: str
    """The deciding statistic."""
    value: float | None
    """Its value in the window; null where it is not defined."""
    limit: float | None
    """The limit that it was compared with."""
    window: Figures
    """The numbers of the window."""
    baseline: Figures | None
    """The numbers of the baseline."""
    evidence: Evidence | None = None
    """What its tests found; null unless ``rules.mode`` is ``evidence``."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The retrain signal: which model drifted, why, and where the evidence is.

    ``kind``: ``opened`` (a new episode), ``worsened`` (another feature or check, or twice as
    large), ``reminder`` (still open after the cool-down), ``recovered``. ``features`` are those
    that violate now, and ``reasons`` their violations. A ``recovered`` names all features that the
    episode had, with the reasons of the previous signal. ``dedupe_id`` is the same for every repeat
    of one delivery. ``report`` is the id of the window's report; ``first_violation_ms`` is the
    start of the first window of the episode that violated. ``figures`` holds the numbers of each
    feature in the window of this signal, beside those of the baseline. ``causes`` groups the
    reasons by what happened, and ``action`` says what to do about them.
    """

    version: int
    """The version of this schema."""
    id: str
    """The id of the signal."""
    dedupe_id: str
    """The same for every repeat of one delivery."""
    kind: SignalKind
    """``opened``, ``worsened``, ``reminder`` or ``recovered``."""
    episode: str
    """The id of the episode."""
    job: str
    """The job."""
    model: str
    """The model."""
    variant: str
    """The variant."""
    start_ms: int
    """The start of the window, in milliseconds since 1970."""
    end_ms: int
    """The end of the window."""
    first_violation_ms: int
    """The start of the first window of the episode that violated."""
    baseline: str
    """The fingerprint of the baseline."""
    report: str
    """The id of the window's report."""
    features: tuple[str, ...]
    """The features that violate now; of ``recovered``: all that the episode had."""
    reasons: tuple[Violation, ...]
    """Their violations; of ``recovered``: those of the previous signal."""
    figures: tuple[SignalledFeature, ...] = ()
    """The numbers of each of the features in this window and in the baseline."""
    quality: QualityEvidence | None = None
    """The quality of the model, in a signal about it; null in a signal about the data."""
    early: bool = False
    """Whether it was raised inside of the open window: ``report`` and ``end_ms`` are then those of
    the report that follows when the window closes.
    """
    early_findings: tuple[EarlyFinding, ...] = ()
    """The evidence of an early signal on each of the features."""
    causes: tuple[SharedCause, ...] = ()
    """The causes of the reasons, each with its features: what broke at once is one cause."""
    action: Action = "look"
    """What to do: ``repair_pipeline`` if a cause asks for it, else ``retrain`` if one does, else
    ``look``; of ``recovered`` it is ``look``.
    """
