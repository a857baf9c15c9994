"""The output: metrics and violations of a window, and the signal that an episode sends.

These structs are the published schemas. ``version`` is raised when a field changes its meaning or
is removed; readers must ignore fields that they do not know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

REPORT_VERSION = 1
SIGNAL_VERSION = 1
State = Literal["ok", "violations", "insufficient", "no data", "incomplete", "learning"]
Verdict = Literal["ok", "violation", "insufficient", "learning", "disabled"]
SignalKind = Literal["opened", "worsened", "reminder", "recovered"]


class BinShift(msgspec.Struct, frozen=True, kw_only=True):
    """One bin or value whose share moved.

    ``before`` and ``after`` are its shares in baseline and window, with their counts;
    ``contribution`` is what it adds to PSI.
    """

    label: str
    before: float
    after: float
    before_count: int
    after_count: int
    contribution: float


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One constraint that a window breaks.

    ``feature`` is ``(columns)`` where all columns together are meant. ``check`` is the name of a
    check: ``data_type_check``, ``completeness_check``, ``baseline_drift_check``,
    ``missing_column_check``, ``extra_column_check`` or ``categorical_values_check`` of SageMaker
    Model Monitor; ``vanished_value_check``, ``non_negative_check`` or ``change_check`` of
    driftline; or one of another distribution. ``value`` of ``statistic`` is compared with
    ``limit``; ``n`` is the number of rows that it was computed from.

    ``description`` is the sentence of SageMaker Model Monitor, where that has one. ``summary`` is
    one sentence for people, numbers first; it names feature values only if ``expose_values`` is
    set. ``diagnosis`` is the likely cause, empty if none fits. ``moved`` lists the bins that
    changed most. ``overwhelming``: this one window is enough for a signal.
    """

    feature: str
    check: str
    statistic: str
    value: float
    limit: float
    n: int
    description: str
    summary: str = ""
    overwhelming: bool = False
    diagnosis: str = ""
    moved: tuple[BinShift, ...] = ()


class FeatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one feature in one window.

    ``n`` counts rows, ``completeness`` is the share of rows with a value. ``types`` holds the
    shares of the written types among present values. Moments are over finite numbers, null if there
    are none. ``distances`` maps the name of each statistic to its value, null where it is not
    defined. ``deciding`` names the statistic that decides, and ``value`` is its value. ``limit`` is
    what it was compared with: the larger of ``asked_limit`` (from configuration or baseline) and
    ``noise``. ``enabled`` is false where the feature's checks are off.
    """

    name: str
    role: str
    type: str
    n: int
    missing: int
    completeness: float | None
    nan: int
    inf: int
    types: dict[str, float]
    mean: float | None
    std: float | None
    sum: float | None
    min: float | None
    max: float | None
    outlier_share: float | None
    distances: dict[str, float | None]
    deciding: str
    value: float | None
    limit: float | None
    noise: float | None
    asked_limit: float | None
    enabled: bool
    verdict: Verdict


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics, violations and state of one model and variant in one window.

    ``id`` is ``job/model/variant/start_ms/end_ms/baseline/revision``: one id never has two
    contents. A report with the state "no data" covers a silence: ``end_ms`` is null in the report
    that it began, and set in a second one that it ended. ``rules`` names the limits in force.
    ``profile`` holds the window's encoded counts, from which ``driftline explain`` recomputes each
    number.
    """

    version: int
    id: str
    job: str
    model: str
    variant: str
    start_ms: int
    end_ms: int | None
    revision: int
    state: State
    rows: int
    baseline: str
    layout: str
    features: tuple[FeatureReport, ...] = ()
    violations: tuple[Violation, ...] = ()
    rules: dict[str, float | int | str] = {}
    notes: tuple[str, ...] = ()
    profile: bytes = b""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The retrain signal: which model drifted, why, and where the evidence is.

    ``kind``: ``opened`` (a new episode), ``worsened`` (another feature or check, or twice as
    large), ``reminder`` (still open after the cool-down), ``recovered``. ``features`` are those
    that violate now, and ``reasons`` their violations. A ``recovered`` names all features that the
    episode had, with the reasons of the signal before. ``dedupe_id`` is the same for every repeat
    of one delivery. ``report`` is the id of the window's report; ``first_violation_ms`` is the
    start of the first window of the episode that violated.
    """

    version: int
    id: str
    dedupe_id: str
    kind: SignalKind
    episode: str
    job: str
    model: str
    variant: str
    start_ms: int
    end_ms: int
    first_violation_ms: int
    baseline: str
    report: str
    features: tuple[str, ...]
    reasons: tuple[Violation, ...]
