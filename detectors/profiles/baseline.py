"""The baseline of a model: layout, counts and columns with a fingerprint, and its constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from itertools import cycle
from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import structs

from detectors.errors import BaselineInvalid, LayoutInvalid, LayoutMismatch, ProfileInvalid
from detectors.profiles.calendar import Key
from detectors.profiles.dependence import Dependence
from detectors.profiles.layout import Feature, InferredType, Layout
from detectors.profiles.profile import Profile, resegmented
from detectors.profiles.reference import Reference
from detectors.profiles.seasons import Seasons
from detectors.profiles.segmentation import Segmentation
from detectors.profiles.segments import kept_segments, stacked

BASELINE_VERSION = 1

ComparisonMethod = Literal["Robust", "Simple"]
CategoricalMethod = Literal["LInfinity", "ChiSquared"]
_ARGUMENTS: Final = (
    "layout", "profile", "constraints", "columns", "references", "dependence", "seasons",
)  # fmt: skip
"""The arguments of a baseline, each an attribute of it."""


class Constraint(msgspec.Struct, frozen=True):
    """The requirements of the baseline on one feature, as ``constraints.json`` states them.

    See ``docs/sagemaker-compatibility.md``. ``completeness`` is the smallest share of rows that
    must have a value, ``None`` if any is allowed. ``domains`` holds the allowed values as text,
    ``None`` if all are. ``evaluate`` is false where the feature's checks are off. ``type`` is set
    where another type is required than that of the layout, and ``emit_metrics`` where the feature's
    metrics are switched off. Unset, they are not encoded: constraints without them keep their
    bytes.
    """

    completeness: float | None = None
    non_negative: bool | None = None
    domains: tuple[str, ...] | None = None
    evaluate: bool = True
    type: InferredType | msgspec.UnsetType = msgspec.UNSET
    emit_metrics: bool | msgspec.UnsetType = msgspec.UNSET


class Thresholds(msgspec.Struct, frozen=True):
    """The ``monitoring_config`` of ``constraints.json``: which checks run, and their limits.

    ``comparison_method``, ``categorical_drift_method`` and ``emit_metrics`` are unset where the
    file has ``Robust``, ``LInfinity`` and ``Enabled``, or lacks the key: thresholds without them
    keep their bytes.
    """

    evaluate_constraints: bool = True
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    perform_comparison: bool = True
    comparison_threshold: float = 0.1
    categorical_comparison_threshold: float | None = None
    comparison_method: ComparisonMethod | msgspec.UnsetType = msgspec.UNSET
    categorical_drift_method: CategoricalMethod | msgspec.UnsetType = msgspec.UNSET
    emit_metrics: bool | msgspec.UnsetType = msgspec.UNSET


class Constraints(msgspec.Struct, frozen=True):
    """Constraints by feature name, and the thresholds for all of them."""

    features: dict[str, Constraint] = {}
    thresholds: Thresholds = Thresholds()

    def emits(self, feature: str) -> bool:
        """Whether the metrics of a feature are published: not switched off for it or for all.

        >>> Constraints({"age": Constraint(emit_metrics=False)}).emits("age")
        False
        >>> Constraints().emits("age")
        True
        """
        own = self.features.get(feature)
        return self.thresholds.emit_metrics is not False and (
            own is None or own.emit_metrics is not False
        )


class _Wire(msgspec.Struct, frozen=True):
    version: int
    checksum: str = msgspec.field(name="fingerprint")
    features: tuple[Feature, ...]
    profile: bytes
    constraints: Constraints
    columns: tuple[str, ...]
    references: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    dependence: Dependence = Dependence()
    seasons: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    seasons_checksum: str = ""
    segments: tuple[Segmentation, ...] = ()


class Baseline:
    """The layout, the profile of the training data, and the constraints that belong to them.

    ``columns`` lists every column of the training file in its order, which is the order of a
    positional CSV: the endpoint's response first, then the request. In a baseline of 0.1.0, columns
    without a feature in the layout (those without any value) are among them. The number of baseline
    rows of a feature is the sum of its type slots, not ``profile.rows``: predictions that were
    learned later have rows of their own.

    ``fingerprint`` identifies layout, counts, sums and columns: windows of equal fingerprints are
    comparable. Constraints are limits and not part of it: they may change while the counts stay
    (:class:`detectors.decisions.limits.Limits`). ``checksum`` covers the constraints as well. It
    guards the file, and it was the fingerprint up to 0.1.0.

    ``references`` holds, by feature, what SageMaker's own distance compares with; it is empty in a
    baseline of 0.1.0, and no part of the fingerprint. Nor is ``dependence``: how far the rows of
    the training file depend on their neighbours. Nor are ``seasons``, which have a fingerprint of
    their own; without them a baseline keeps its bytes.
    """

    def __init__(
        self,
        layout: Layout,
        profile: Profile,
        constraints: Constraints,
        columns: tuple[str, ...],
        references: Mapping[str, Reference] | None = None,
        dependence: Dependence | None = None,
        seasons: Seasons | None = None,
    ) -> None:
        if profile.layout.fingerprint != layout.fingerprint:
            raise BaselineInvalid("profile", "it was counted with another layout")
        unknown = sorted(set(layout.index) - set(columns))
        if unknown:
            raise BaselineInvalid("columns", f"features without a column: {', '.join(unknown)}")
        if seasons and seasons.layout and seasons.layout.fingerprint != layout.fingerprint:
            raise BaselineInvalid("seasons", "they were counted with another layout")
        self.layout = layout
        self.profile = profile
        self.constraints = constraints
        self.columns = columns
        self.references = dict(references or {})
        self.dependence = dependence or Dependence()
        self.seasons = seasons
        self._views: dict[tuple[Key, ...], Baseline] = {}

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over layout, counts, sums, counts of pairs and columns."""
        return self._digest()

    @cached_property
    def checksum(self) -> str:
        """Sixteen hex digits over everything that :meth:`encode` writes."""
        return self._digest(msgspec.msgpack.encode(self.constraints, order="sorted"))

    def _digest(self, constraints: bytes = b"") -> str:
        seed = blake2b(digest_size=8)
        seed.update(self.layout.fingerprint.encode())
        for counted in filter(None, (self.profile, self.profile.segments)):
            seed.update(counted.counts.tobytes() + counted.sums.tobytes())
        seed.update(self.profile.pairs.tobytes())
        seed.update(constraints)
        seed.update(msgspec.msgpack.encode(self.columns))
        return seed.hexdigest()

    def constrained(self, constraints: Constraints) -> Baseline:
        """The same baseline with other constraints; its fingerprint stays."""
        return self._with(constraints=constraints)

    def referenced(self, references: Mapping[str, Reference]) -> Baseline:
        """The same baseline with other references; its fingerprint stays."""
        return self._with(references=references)

    def depending(self, dependence: Dependence) -> Baseline:
        """The same baseline with another dependence of its rows; its fingerprint stays."""
        return self._with(dependence=dependence)

    def seasonal(self, seasons: Seasons | None) -> Baseline:
        """The same baseline with other seasons, or without any; its fingerprint stays."""
        return self._with(seasons=seasons)

    def in_season(self, start_ms: int) -> Baseline:
        """What a window that begins then is compared with: this baseline, with the counts of that
        season and without others.

        Itself where it has no seasons, or too few rows of that one. Constraints, columns and
        references stay; the fingerprint is one of the season's counts.
        """
        keys = self.seasons.pool(start_ms) if self.seasons else ()
        if self.seasons is None or not keys:
            return self
        if keys not in self._views:
            profile = self.seasons.sum(keys)
            self._views[keys] = self._with(profile=profile, seasons=None)
        return self._views[keys]

    @cached_property
    def without_seasons(self) -> Baseline:
        """The same baseline without seasons; itself if it has none."""
        return self if self.seasons is None else self._with(seasons=None)

    def _with(self, **changed: Any) -> Baseline:
        """The same baseline with other arguments, by their names."""
        kept = {name: getattr(self, name) for name in _ARGUMENTS}
        return Baseline(**{**kept, **changed})

    @cached_property
    def by_segment(self) -> Baseline | None:
        """The baseline of the segments, of the stacked layout; ``None`` without segments.

        A constraint holds in each segment, but for the domain, which is that of all rows, and for
        the completeness, which is that of the segment in this baseline. The seasons are those of
        this baseline, each with the counts of its segments: a segment is compared with its own rows
        of the season.
        """
        if self.profile.segments is None:
            return None
        side = self.profile.segments
        present = 1.0 - side.missing / np.maximum(side.feature_rows, 1)
        own = self.constraints.features
        features = {
            name: structs.replace(
                own[base],
                domains=None,
                completeness=None if own[base].completeness is None else float(present[j]),
            )
            for j, (name, base) in enumerate(self._stacked_names())
            if base in own
        }
        factors = {
            name: self.dependence.factors[base]
            for name, base in self._stacked_names()
            if base in self.dependence.factors
        }
        return Baseline(
            side.layout,
            side,
            Constraints(features, self.constraints.thresholds),
            tuple(side.layout.index),
            dependence=structs.replace(self.dependence, factors=factors, changing=()),
            seasons=None if self.seasons is None else self.seasons.by_segment,
        )

    def _stacked_names(self) -> Iterator[tuple[str, str]]:
        """The name of each feature of the stacked layout, and that of the feature it is made of."""
        names = list(self.layout.index)
        return zip(stacked(self.layout).index, cycle(names), strict=False)

    def segmented(self, wanted: Sequence[tuple[str, int]]) -> Baseline:
        """The same baseline with the segments by these columns alone, at most so many values each.

        Without any it is the baseline as if it had been made without segments. Its seasons stay,
        with the same segments. Raises
        :class:`~detectors.errors.BaselineInvalid` if it has no counts by one of the columns.
        """
        kept = kept_segments(self.layout, self.profile.counts, wanted)
        if kept == self.layout.segmentations:
            return self
        layout = Layout(self.layout.features, kept)
        return self.recounted(layout, lambda profile: resegmented(profile, layout))

    def recounted(self, layout: Layout, change: Callable[[Profile], Profile]) -> Baseline:
        """The same baseline under another layout; ``change`` gives the counts that it has there,
        those of each season as well.
        """
        seasons = None if self.seasons is None else self.seasons.of_each(change)
        return self._with(layout=layout, profile=change(self.profile), seasons=seasons)

    def encode(self, with_references: bool = True) -> bytes:
        """``baseline.msgpack``: a versioned struct.

        Readers count without the references, and without the seasons.
        """
        content = {
            "version": BASELINE_VERSION,
            "fingerprint": self.checksum,
            "features": [feature.set_fields for feature in self.layout.features],
            "profile": self.profile.encode(),
            "constraints": self.constraints,
            "columns": self.columns,
        }
        if self.references and with_references:
            content["references"] = self.references
        if self.dependence != Dependence():
            content["dependence"] = self.dependence
        if self.seasons is not None and with_references:
            content["seasons"] = msgspec.Raw(self.seasons.encode())
            content["seasons_checksum"] = self.seasons.checksum
        if self.layout.segmentations:
            content["segments"] = self.layout.segmentations
        return msgspec.msgpack.encode(content)

    @classmethod
    def decode(cls, data: bytes, with_references: bool = True) -> Baseline:
        """The baseline that :meth:`encode` wrote; its references are left out unless asked for.

        References of 200 features are about 20 MB, which a job without SageMaker's distance saves.
        Raises :class:`~detectors.errors.BaselineInvalid` if it is damaged or of another version.
        """
        try:
            wire = msgspec.msgpack.decode(data, type=_Wire)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BaselineInvalid("file", f"damaged, or no baseline ({error})") from error
        if wire.version != BASELINE_VERSION:
            raise BaselineInvalid("version", f"expected {BASELINE_VERSION}, found {wire.version}")
        try:
            layout = Layout(wire.features, wire.segments)
            profile = Profile.decode(wire.profile, layout)
            references = _references(wire.references) if with_references else {}
        except msgspec.MsgspecError as error:
            raise BaselineInvalid("file", f"damaged ({error})") from error
        except (LayoutInvalid, LayoutMismatch, ProfileInvalid) as error:
            raise BaselineInvalid("file", f"damaged ({error})") from error
        baseline = cls(layout, profile, wire.constraints, wire.columns, references, wire.dependence)
        if baseline.checksum != wire.checksum:
            raise BaselineInvalid(
                "checksum", f"expected {wire.checksum}, found {baseline.checksum}"
            )
        return baseline._with(seasons=_seasons(wire, layout))


def _seasons(wire: _Wire, layout: Layout) -> Seasons | None:
    if isinstance(wire.seasons, msgspec.UnsetType):
        return None
    try:
        seasons = Seasons.decode(wire.seasons, layout)
    except (msgspec.MsgspecError, UnicodeDecodeError, LayoutMismatch, ProfileInvalid) as error:
        raise BaselineInvalid("seasons", f"damaged ({error})") from error
    if seasons.checksum != wire.seasons_checksum:
        reason = f"expected {wire.seasons_checksum}, found {seasons.checksum}"
        raise BaselineInvalid("seasons", reason)
    return seasons


def _references(raw: msgspec.Raw | msgspec.UnsetType) -> dict[str, Reference]:
    if isinstance(raw, msgspec.UnsetType):
        return {}
    return msgspec.msgpack.decode(raw, type=dict[str, Reference])
