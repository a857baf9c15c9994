"""The configuration of the detectors of changes in the stream of errors, one class each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec

from detectors.faults import Fault

Errors = Literal["0 or 1", "0 to 1", "any number"]
"""The errors that a detector is defined for."""
Chance = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class ErrorDetector(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"
):
    """A detector of changes in the error of single predictions, in the order of their labels.

    The error is 0 or 1 for classes, the absolute error for regression. A subclass adds the
    parameters by the names that the class ``river_class`` of river gives them. ``errors`` says
    which errors it is defined for.
    """

    river_class: ClassVar[str]
    errors: ClassVar[Errors]

    @property
    def type(self) -> str:
        """The name of the detector in the configuration."""
        return str(self.__struct_config__.tag)

    @property
    def unit_or_none(self) -> float | None:
        """The absolute error that counts as 1; ``None`` for errors as they are."""
        return getattr(self, "unit", None)

    def parameters(self) -> dict[str, float | int | bool | str]:
        """The arguments for the class of river."""
        fields = msgspec.structs.asdict(self)
        fields.pop("unit", None)
        return fields


class _ScaledDetector(ErrorDetector, frozen=True, kw_only=True):
    """A detector of errors that regression divides by a unit."""

    unit: Positive | None = None
    """For regression: the absolute error that counts as 1, in units of the label. Larger ones
    count as 1, too. Without it errors count as they are.
    """


class ErrorAdwin(_ScaledDetector, frozen=True, kw_only=True, tag="adwin"):
    """Adaptive windowing: detects that the means of older and newer errors differ, in either way.

    The bound holds for errors from 0 to 1, so that regression needs ``unit``. Its tests after each
    row detect a rise of the error rate from 0.1 to 0.9 within about 20 rows.
    Source: Bifet and Gavalda, SDM 2007.
    """

    river_class: ClassVar[str] = "drift.ADWIN"
    errors: ClassVar[Errors] = "0 to 1"
    delta: Chance = 0.0001
    """The highest chance of a false alarm in one test. The bound is a cautious one."""
    clock: Count = 1
    """The number of rows between two tests."""
    max_buckets: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 5
    """The number of summaries of each size: more of them locate a change more finely."""
    min_window_length: Count = 5
    """The smallest part that the rows are divided into."""
    grace_period: Count = 10
    """The number of rows before the first test."""


class ErrorDdm(ErrorDetector, frozen=True, kw_only=True, tag="ddm"):
    """Drift detection method: the error rate is above its lowest level by more than chance.

    Detects rises, in classes only. Source: Gama et al. 2004.
    """

    river_class: ClassVar[str] = "drift.binary.DDM"
    errors: ClassVar[Errors] = "0 or 1"
    warm_start: Count = 30
    """The number of rows before the first test."""
    warning_threshold: Positive = 2.0
    """The deviations above the lowest level of a warning; warnings are not reported."""
    drift_threshold: Positive = 3.0
    """The deviations above the lowest level that are a change."""


class ErrorEddm(ErrorDetector, frozen=True, kw_only=True, tag="eddm"):
    """Early drift detection method: the distance between two errors has shrunk.

    Detects rises, in classes only; gives many false alarms. Source: Baena-Garcia et al. 2006.
    """

    river_class: ClassVar[str] = "drift.binary.EDDM"
    errors: ClassVar[Errors] = "0 or 1"
    warm_start: Count = 30
    """The number of rows and of errors before the first test."""
    alpha: Chance = 0.95
    """The share of the largest distance below which there is a warning; not below ``beta``.
    Warnings are not reported.
    """
    beta: Chance = 0.9
    """The share of the largest distance below which there is a change."""


class ErrorHddmA(_ScaledDetector, frozen=True, kw_only=True, tag="hddm_a"):
    """Drift detection by Hoeffding's bound on the means before and after a cut.

    For errors from 0 to 1, so that regression needs ``unit``. Source: Frias-Blanco et al. 2015.
    """

    river_class: ClassVar[str] = "drift.binary.HDDMA"
    errors: ClassVar[Errors] = "0 to 1"
    drift_confidence: Chance = 0.001
    """The chance of a false alarm in one test."""
    warning_confidence: Chance = 0.005
    """The same for a warning; warnings are not reported."""
    two_sided_test: bool = False
    """Whether a fall of the error is a change, too."""


class ErrorHddmW(_ScaledDetector, frozen=True, kw_only=True, tag="hddm_w"):
    """Drift detection by McDiarmid's bound on exponentially weighted means.

    For errors from 0 to 1, so that regression needs ``unit``. Source: Frias-Blanco et al. 2015.
    """

    river_class: ClassVar[str] = "drift.binary.HDDMW"
    errors: ClassVar[Errors] = "0 to 1"
    drift_confidence: Chance = 0.001
    """The chance of a false alarm in one test."""
    warning_confidence: Chance = 0.005
    """The same for a warning; warnings are not reported."""
    lambda_val: Chance = 0.05
    """The weight of the newest row."""
    two_sided_test: bool = False
    """Whether a fall of the error is a change, too."""


class ErrorKswin(_ScaledDetector, frozen=True, kw_only=True, tag="kswin"):
    """Kolmogorov-Smirnov test of the newest errors against a sample of the older ones.

    Tests after each row at ``alpha``: for regression the default gives a false alarm in about 1,000
    rows. It follows about two thousand rows per second.
    Source: Raab et al. 2020.
    """

    river_class: ClassVar[str] = "drift.KSWIN"
    errors: ClassVar[Errors] = "any number"
    alpha: Chance = 0.005
    """The chance of a false alarm in one test."""
    window_size: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 100
    """The number of rows that are kept."""
    stat_size: Annotated[int, msgspec.Meta(ge=1, le=50_000)] = 30
    """The number of the newest rows, and of the older ones that are drawn: half of
    ``window_size`` at most.
    """
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 1
    """The seed of the draws."""


class ErrorPageHinkley(_ScaledDetector, frozen=True, kw_only=True, tag="page_hinkley"):
    """Page-Hinkley test: a sum of deviations from the running mean has moved from its extreme.

    Source: Page 1954.
    """

    river_class: ClassVar[str] = "drift.PageHinkley"
    errors: ClassVar[Errors] = "any number"
    min_instances: Count = 30
    """The number of rows before the first alarm."""
    delta: NotNegative = 0.005
    """The deviation from the running mean that is ignored."""
    threshold: Positive = 50.0
    """The sum of deviations that is a change."""
    alpha: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9999
    """The weight of earlier rows in the sum: below 1 they fade."""
    mode: Literal["up", "down", "both"] = "both"
    """Whether rises (``up``), falls (``down``) or both are detected."""


AnyErrorDetector = (
    ErrorAdwin | ErrorDdm | ErrorEddm | ErrorHddmA | ErrorHddmW | ErrorKswin | ErrorPageHinkley
)
"""The detectors that a configuration can name."""


def error_detector_faults(
    detectors: Sequence[AnyErrorDetector], problem: Literal["binary", "multiclass", "regression"]
) -> Iterator[Fault]:
    """The faults of detectors that do not fit a problem, and of parameters that exclude each other.

    Keys begin with the position in the list: ``[0].unit``.

    >>> [str(fault) for fault in error_detector_faults([ErrorDdm()], "regression")]
    ['[0].type: ddm is for errors of 0 and 1; regression takes adwin, hddm_a, hddm_w, kswin or \
page_hinkley']
    """
    for position, detector in enumerate(detectors):
        prefix = f"[{position}]"
        if detector in detectors[:position]:
            yield Fault(prefix, "the same detector is there twice")
        yield from _misfits(prefix, detector, problem == "regression")
        yield from _contradictions(prefix, detector)


def _misfits(prefix: str, detector: AnyErrorDetector, regression: bool) -> Iterator[Fault]:
    unit = detector.unit_or_none
    if regression and detector.errors == "0 or 1":
        yield Fault(
            f"{prefix}.type",
            f"{detector.type} is for errors of 0 and 1; regression takes adwin, hddm_a, hddm_w, "
            "kswin or page_hinkley",
        )
    elif regression and detector.errors == "0 to 1" and unit is None:
        yield Fault(
            f"{prefix}.unit",
            f"is missing: {detector.type} is for errors from 0 to 1; set the absolute error that "
            "counts as 1, such as three times the usual one",
        )
    elif not regression and unit is not None:
        yield Fault(f"{prefix}.unit", "is for regression; errors of classes are 0 and 1")


def _contradictions(prefix: str, detector: AnyErrorDetector) -> Iterator[Fault]:
    if isinstance(detector, ErrorEddm) and detector.alpha < detector.beta:
        yield Fault(f"{prefix}.alpha", f"is below beta, {detector.beta:g}")
    if isinstance(detector, ErrorKswin) and 2 * detector.stat_size > detector.window_size:
        yield Fault(
            f"{prefix}.stat_size", f"is above half of window_size, {detector.window_size // 2}"
        )
