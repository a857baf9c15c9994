"""A violated constraint, as reports and signals publish it."""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.finding import EvidenceFinding
from detectors.phrases import in_segment

Action = Literal["repair_pipeline", "retrain", "look"]
"""What to do about a cause: repair the data pipeline, retrain the model, or look at the data."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The likely cause of a violation, found from the counts of the window and the baseline.

    ``numbers`` are those of the fit, with their units in their names: ``factor``, ``offset``,
    ``share``, ``shift_deviations``. Feature values (``at``, ``value``) are among them, and in
    ``words``, only if ``expose_values`` is set. ``unknown`` where no cause fits.
    """

    name: str
    """The name of the cause, as ``unit_change``; ``unknown`` if none fits."""
    words: str
    """The cause in a sentence for people."""
    action: Action = "look"
    """``repair_pipeline``, ``retrain`` or ``look``."""
    numbers: dict[str, float | str] = {}
    """The fitted numbers."""


class SharedCause(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of several features, in one sentence: ten columns that broke at once are one."""

    name: str
    """The name of the cause."""
    words: str
    """The cause and its features in a sentence."""
    action: Action
    """``repair_pipeline``, ``retrain`` or ``look``."""
    count: int
    """The number of features that it is the cause of."""
    features: tuple[str, ...]
    """The first 20 of them."""


class BinShift(msgspec.Struct, frozen=True, kw_only=True):
    """One bin or value with a changed share.

    ``before`` and ``after`` are its shares in baseline and window, with their counts;
    ``contribution`` is the part that it adds to PSI.
    """

    label: str
    """The bin or value, or new values; masked in signals unless ``expose_values`` is set."""
    before: float
    """Its share in the baseline."""
    after: float
    """Its share in the window."""
    before_count: int
    """Its count in the baseline."""
    after_count: int
    """Its count in the window."""
    contribution: float
    """The part that it adds to PSI."""


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One constraint that a window violates.

    ``feature`` is ``(columns)`` where all columns together are meant. ``check`` is the name of a
    check: ``data_type_check``, ``completeness_check``, ``baseline_drift_check``,
    ``missing_column_check``, ``extra_column_check`` or ``categorical_values_check`` of SageMaker
    Model Monitor; ``vanished_value_check``, ``non_negative_check`` or ``change_check`` of
    driftline, ``condition_check`` of a condition in the configuration, whose ``feature`` may be
    ``(rows)``; or one of another distribution. About the quality of a model it is
    ``model_quality_check``, whose ``feature`` is the metric, or ``error_change_check``, whose
    ``feature`` is ``(errors)``. ``value`` of ``statistic`` is compared with
    ``limit``; ``n`` is the number of rows that it was computed from.

    ``description`` is the sentence of SageMaker Model Monitor, for the checks that it has.
    ``summary`` is one sentence for people, numbers first; it names feature values only if
    ``expose_values`` is set. ``diagnosis`` is the likely cause, empty if none fits, and ``cause``
    the same with its numbers. ``moved`` lists the bins that changed most. ``overwhelming``: this
    one window is enough for a signal.
    """

    feature: str
    """The feature; ``(columns)`` for a check of all columns together, ``(rows)`` for a condition
    on the number of rows; for the quality of a model the metric, or ``(errors)``.
    """
    check: str
    """The name of the check."""
    statistic: str
    """The statistic that was compared."""
    value: float
    """Its value in the window."""
    limit: float
    """The limit that the value was compared with, tolerances included. For checks of shares, what
    chance explains is allowed on top. For ``change_check`` the value halfway between the levels
    before and after the change. For ``error_change_check`` the mean error before the change.
    """
    n: int
    """The number of rows behind the value."""
    description: str
    """The violation in a sentence, in the words of SageMaker Model Monitor for its checks."""
    summary: str = ""
    """The violation in a sentence for people, numbers first."""
    overwhelming: bool = False
    """Whether this one window is enough for a signal."""
    diagnosis: str = ""
    """The likely cause in words; empty if none is known."""
    moved: tuple[BinShift, ...] = ()
    """The bins or values that moved most."""
    finding: EvidenceFinding | None = None
    """The test that is the evidence; null unless ``rules.mode`` is ``evidence``."""
    cause: Cause | None = None
    """The likely cause with its numbers and an action; null for a check that names none."""
    segment: str = ""
    """The segment of the rows that it is about, as ``country = BR``, or ``country = value #k``
    unless ``expose_values`` is set; empty where it is about all rows.
    """

    @property
    def key(self) -> str:
        """The feature, with the segment if it is about one: what an episode remembers it by."""
        return in_segment(self.feature, self.segment)
