"""The quality of a model on its baseline rows: counts, metrics, and tables for estimates."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from typing import Final, Literal

import msgspec

from detectors.errors import BaselineInvalid
from detectors.quality.calibration import Calibration, LossTable
from detectors.quality.config import Problem
from detectors.quality.counts import QualityCounts

QUALITY_BASELINE_VERSION: Final = 1
ComparisonOperator = Literal["LessThanThreshold", "GreaterThanThreshold"]
"""When a metric violates its constraint."""


class BaselineMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the baseline rows.

    ``value`` is ``None`` where it is undefined. ``low`` and ``high`` are the ends of its 95 %
    interval, ``standard_deviation`` is that of five random subsamples, as SageMaker Model Monitor
    has it; ``None`` where they are unknown.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    standard_deviation: float | None = None
    larger_is: str = "better"


class MetricConstraint(msgspec.Struct, frozen=True):
    """A requirement on a metric, as ``constraints.json`` states it."""

    threshold: float
    comparison_operator: ComparisonOperator


class QualityBaseline(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is known of the baseline rows of one model.

    ``label``, ``prediction`` and ``probability`` name the columns that they were read from, empty
    where there was none. ``classes`` are the class names by code: of a binary problem the negative
    and the positive one, of a regression none. ``threshold`` is the score above which the answer
    was the positive class, where there was no prediction. ``score_edges`` are those of the bins in
    which the scores of a binary problem are counted, see
    :mod:`detectors.quality.score_grid`. ``encoded_counts`` are the counts of the ``rows``.
    ``confusion`` is by true and predicted class.

    Read from files of SageMaker Model Monitor, it has rows, metrics, confusion and constraints
    only.
    """

    problem: Problem
    rows: int
    metrics: dict[str, BaselineMetric]
    constraints: dict[str, MetricConstraint]
    label: str = ""
    prediction: str = ""
    probability: str = ""
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    score_edges: tuple[float, ...] = ()
    confusion: dict[str, dict[str, int]] = {}
    encoded_counts: bytes = b""
    calibration: Calibration | None = None
    losses: LossTable | None = None

    @property
    def positive(self) -> str:
        """The positive class of a binary problem; empty if it is unknown, and for others."""
        return self.classes[1] if self.problem == "binary" and self.classes else ""

    @property
    def negative(self) -> str:
        """The other class of a binary problem."""
        return self.classes[0] if self.problem == "binary" and self.classes else ""

    @property
    def counts(self) -> QualityCounts:
        """The counts of the baseline rows; empty if they are unknown."""
        return QualityCounts.decode(self.encoded_counts) if self.encoded_counts else QualityCounts()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over everything but the constraints, which are limits."""
        return _digest(self.constrained({}))

    def constrained(self, constraints: dict[str, MetricConstraint]) -> QualityBaseline:
        """Return the same baseline with other constraints; its fingerprint stays."""
        return msgspec.structs.replace(self, constraints=constraints)

    def encode(self) -> bytes:
        """Return ``quality.msgpack``: version, checksum and content."""
        content = _content(self)
        return msgspec.msgpack.encode((QUALITY_BASELINE_VERSION, _hash(content), content))

    @classmethod
    def decode(cls, data: bytes) -> QualityBaseline:
        """Return the baseline that :meth:`encode` wrote.

        Raises :class:`~detectors.errors.BaselineInvalid` if it is damaged or of another version.
        """
        try:
            version, checksum, content = msgspec.msgpack.decode(data, type=tuple[int, str, bytes])
            if version != QUALITY_BASELINE_VERSION:
                expected = QUALITY_BASELINE_VERSION
                raise BaselineInvalid("version", f"expected {expected}, found {version}")
            if _hash(content) != checksum:
                raise BaselineInvalid("checksum", f"expected {checksum}, found {_hash(content)}")
            return msgspec.msgpack.decode(content, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BaselineInvalid("file", f"damaged, or no quality baseline ({error})") from error


def _content(baseline: QualityBaseline) -> bytes:
    return msgspec.msgpack.encode(baseline, order="deterministic")


def _digest(baseline: QualityBaseline) -> str:
    return _hash(_content(baseline))


def _hash(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
