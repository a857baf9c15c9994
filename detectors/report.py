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
    """The bin or value; masked in signals unless ``expose_values`` is set."""
    before: float
    """Its share in the baseline."""
    after: float
    """Its share in the window."""
    before_count: int
    """Its count in the baseline."""
    after_count: int
    """Its count in the window."""
    contribution: float
    """What it adds to the distance."""


class Violation(msgspec.Struct, frozen=True):
    """One constraint that a window breaks.

    ``check`` is the name of a check of SageMaker Model Monitor (``data_type_check``,
    ``completeness_check``, ``baseline_drift_check``, ``missing_column_check``,
    ``extra_column_check``, ``categorical_values_check``), or ``vanished_value_check``,
    ``non_negative_check`` or ``change_check``. ``value`` is compared with ``limit``; ``n`` is the
    number of rows behind it. ``overwhelming`` says that this one window is enough for a signal.
    """

    feature: str
    """The feature; empty for a check of all columns."""
    check: str
    """The name of the check."""
    statistic: str
    """The statistic that was compared."""
    value: float
    """Its value in the window."""
    limit: float
    """What the value was compared with."""
    n: int
    """The number of rows behind the value."""
    description: str
    """The violation in a sentence, in the words of SageMaker Model Monitor for its checks."""
    overwhelming: bool = False
    """Whether this one window is enough for a signal."""
    diagnosis: str = ""
    """The likely cause; empty if none is known."""
    moved: tuple[BinShift, ...] = ()
    """The bins or values that moved most."""


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
    """What it was compared with: the larger of ``asked_limit`` and ``noise``."""
    noise: float | None
    """What the statistic exceeds by chance only, at the configured level."""
    asked_limit: float | None
    """The limit of the configuration or of the baseline."""
    enabled: bool
    """False where the feature's checks are off."""
    verdict: Verdict
    """The verdict on the deciding statistic."""


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
    """The version of this schema."""
    id: str
    """``job/model/variant/start_ms/end_ms/baseline/revision``; one id never has two contents."""
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
    """The constraints that the window breaks."""
    rules: dict[str, float | int | str] = {}
    """The rules in force."""
    notes: tuple[str, ...] = ()
    """What makes the window incomplete, in sentences."""
    profile: bytes = b""
    """The encoded counts, in base64 in JSON; ``driftline explain`` recomputes each number from
    them.
    """


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
    """Their violations; of ``recovered``: those of the signal before."""
