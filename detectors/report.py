"""What driftline says: metrics and violations of a window, and the signal that an episode sends.

These structs are the published schemas. ``version`` is raised when a field changes its meaning or
goes; readers must ignore fields that they do not know.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

REPORT_VERSION = 1
SIGNAL_VERSION = 1
CHECKS: Final = (
    "data_type_check",
    "completeness_check",
    "baseline_drift_check",
    "missing_column_check",
    "extra_column_check",
    "categorical_values_check",
    "vanished_value_check",
    "non_negative_check",
    "change_check",
)
"""All that a violation may be called: the six checks of SageMaker Model Monitor, and three of
driftline's own."""

State = Literal["ok", "violations", "insufficient", "no data", "incomplete", "learning"]
Verdict = Literal["ok", "violation", "insufficient", "learning", "disabled"]
SignalKind = Literal["opened", "worsened", "reminder", "recovered"]


class BinShift(msgspec.Struct, frozen=True):
    """One bin or value whose share moved: counts and shares in baseline and window, and what it
    adds to the distance.
    """

    label: str
    before: float
    after: float
    before_count: int
    after_count: int
    contribution: float


class Violation(msgspec.Struct, frozen=True):
    """One constraint that a window breaks.

    ``check`` is the name of a check of SageMaker Model Monitor (``data_type_check``,
    ``completeness_check``, ``baseline_drift_check``, ``missing_column_check``,
    ``extra_column_check``, ``categorical_values_check``), or ``vanished_value_check``,
    ``non_negative_check`` or ``change_check``. ``value`` is compared with ``limit``; ``n`` is the
    number of rows behind it. ``overwhelming`` says that this one window is enough for a signal.
    """

    feature: str
    check: str
    statistic: str
    value: float
    limit: float
    n: int
    description: str
    overwhelming: bool = False
    diagnosis: str = ""
    moved: tuple[BinShift, ...] = ()


class FeatureReport(msgspec.Struct, frozen=True):
    """The numbers of one feature in one window.

    ``n`` counts rows, ``completeness`` is the share of rows with a value. ``types`` holds the
    shares of the written types among present values. Moments are over finite numbers, null if there
    is none. ``distances`` maps the name of each statistic to its value (null where it has none).
    ``limit`` is what the deciding statistic was compared with: the larger of ``asked_limit`` (the
    configuration's or the baseline's) and ``noise``. ``enabled`` is false where the feature's
    checks are off.
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


class WindowReport(msgspec.Struct, frozen=True):
    """Everything driftline has to say about one model in one window.

    ``id`` is ``job/model/variant/start_ms/end_ms/baseline/revision``: one id never has two
    contents. A ``state`` of "no data" covers a span: ``end_ms`` is null when it begins, and a
    second report tells when it ended. ``limits`` is the fingerprint of the constraints, rules and
    change detectors that the window was judged by (empty in reports of 0.1.0, "-" where nothing
    was judged); ``rules`` holds the rules among them. ``profile`` is the window's encoded counts,
    from which ``driftline explain`` rebuilds each number.
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
    limits: str = ""
    features: tuple[FeatureReport, ...] = ()
    violations: tuple[Violation, ...] = ()
    rules: dict[str, float | int | str] = {}
    notes: tuple[str, ...] = ()
    profile: bytes = b""


class Signal(msgspec.Struct, frozen=True):
    """The retrain signal: which model drifted, why, and where the evidence lies.

    ``kind``: ``opened`` (a new episode), ``worsened`` (another feature or check, or twice as
    large), ``reminder`` (still going on after the cool-down), ``recovered``. ``features`` are those
    that violate now. A ``recovered`` names all features that the episode had, and its ``reasons``
    are those of the signal before. ``dedupe_id`` is the same for every repeat of one delivery.
    ``report`` is the id of the window's report; ``first_violation_ms`` is the start of the first
    window of the episode that violated.
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
