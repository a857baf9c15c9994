"""The baseline of a model: layout, counts and constraints, with a fingerprint over all three."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b

import msgspec

from detectors.errors import BaselineInvalid
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile

BASELINE_VERSION = 1


class Constraint(msgspec.Struct, frozen=True):
    """What the baseline asks of one feature, as ``constraints.json`` states it.

    See ``docs/sagemaker-compatibility.md``. ``completeness`` is the smallest share of rows that
    must have a value, ``None`` if nothing is asked. ``domains`` holds the allowed values of a text
    feature, ``None`` if any will do. ``evaluate`` is false where the feature's checks are off.
    """

    completeness: float | None = None
    non_negative: bool | None = None
    domains: tuple[str, ...] | None = None
    evaluate: bool = True


class Thresholds(msgspec.Struct, frozen=True):
    """The ``monitoring_config`` of ``constraints.json``: which checks run, and their limits."""

    evaluate_constraints: bool = True
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    perform_comparison: bool = True
    comparison_threshold: float = 0.1
    categorical_comparison_threshold: float | None = None


class Constraints(msgspec.Struct, frozen=True):
    """Constraints by feature name, and the thresholds for all of them."""

    features: dict[str, Constraint] = {}
    thresholds: Thresholds = Thresholds()


class _Wire(msgspec.Struct, frozen=True):
    version: int
    fingerprint: str
    features: tuple[Feature, ...]
    profile: bytes
    constraints: Constraints
    columns: tuple[str, ...]


class Baseline:
    """Layout, the baseline's own profile, and constraints.

    ``columns`` lists every column of the training file in its order, which is the order of a
    positional CSV: the endpoint's answer first, then the request. Columns without a feature in the
    layout (nothing but missing values) are among them. The number of baseline rows of a feature is
    the sum of its type slots, not ``profile.rows``: predictions that were learned later have rows
    of their own. ``fingerprint`` is 16 hex digits over layout, counts, sums, constraints and
    columns.
    """

    def __init__(
        self, layout: Layout, profile: Profile, constraints: Constraints, columns: tuple[str, ...]
    ) -> None:
        if profile.layout.fingerprint != layout.fingerprint:
            raise BaselineInvalid("profile", "it was counted with another layout")
        unknown = sorted(set(layout.index) - set(columns))
        if unknown:
            raise BaselineInvalid("columns", f"features without a column: {', '.join(unknown)}")
        self.layout = layout
        self.profile = profile
        self.constraints = constraints
        self.columns = columns

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits: equal baselines judge equally."""
        seed = blake2b(digest_size=8)
        seed.update(self.layout.fingerprint.encode())
        seed.update(self.profile.counts.tobytes() + self.profile.sums.tobytes())
        seed.update(msgspec.msgpack.encode(self.constraints, order="sorted"))
        seed.update(msgspec.msgpack.encode(self.columns))
        return seed.hexdigest()

    def encode(self) -> bytes:
        """``baseline.msgpack``: a versioned struct."""
        wire = _Wire(
            version=BASELINE_VERSION,
            fingerprint=self.fingerprint,
            features=self.layout.features,
            profile=self.profile.encode(),
            constraints=self.constraints,
            columns=self.columns,
        )
        return msgspec.msgpack.encode(wire)

    @classmethod
    def decode(cls, data: bytes) -> Baseline:
        """The baseline that :meth:`encode` wrote.

        Raises :class:`~detectors.errors.BaselineInvalid` if it is damaged or of another version.
        """
        try:
            wire = msgspec.msgpack.decode(data, type=_Wire)
        except msgspec.MsgspecError as error:
            raise BaselineInvalid("file", f"not a baseline of this version ({error})") from error
        if wire.version != BASELINE_VERSION:
            raise BaselineInvalid("version", f"expected {BASELINE_VERSION}, found {wire.version}")
        layout = Layout(wire.features)
        baseline = cls(layout, Profile.decode(wire.profile, layout), wire.constraints, wire.columns)
        if baseline.fingerprint != wire.fingerprint:
            raise BaselineInvalid(
                "fingerprint", f"expected {wire.fingerprint}, found {baseline.fingerprint}"
            )
        return baseline
