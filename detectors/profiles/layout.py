"""The layout: the bins of each feature, fixed by the baseline and shared by all profiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.errors import LayoutInvalid
from detectors.profiles.interval_labels import Ends, interval_labels
from detectors.profiles.joint_levels import JointLevels
from detectors.profiles.rare_values import RareValues
from detectors.profiles.reading import PLAIN, CellReading
from detectors.profiles.segmentation import Segmentation
from detectors.profiles.sketch_error import SketchError
from detectors.profiles.text_patterns import TextPatterns

MISSING: Final = 0
BOOLEAN: Final = 1
STRING: Final = 2
INTEGRAL: Final = 3
FRACTIONAL: Final = 4
NEG_INF: Final = 5
HEAD: Final = 6
"""Slots before the bins of a feature: missing, boolean, string, integral, fractional, -inf."""
TAIL: Final = 2
"""Slots after the bins of a feature: +inf, NaN."""
HASHED_BINS: Final = 64
"""The number of bins into which values outside a text feature's vocabulary are hashed."""
NEW: Final = "new: "
"""The beginning of the label of a hashed bin whose values are named."""
RARE_LABEL: Final = "rare values"
"""The beginning of the names of the cells of the rare values of a text feature."""
MAX_EDGES: Final = 255
"""The largest number of edges of a numeric feature: eight steps of a search find the bin."""

Role = Literal["feature", "prediction"]
InferredType = Literal["Integral", "Fractional", "String", "Unknown"]
Kind = Literal["grid", "codes", "text"]
Nature = Literal["time", "sequence", "identifier"]


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bins of one feature.

    A numeric feature (``grid``, ``codes``) has ``len(edges) + 1`` bins: bin ``b`` holds
    ``edges[b-1] <= x < edges[b]``, the first and the last are open. ``cells[b]`` names the coarse
    cell that bin ``b`` belongs to; cells are numbered from 0 without holes.

    A ``text`` feature has a bin for each entry of ``vocabulary`` and then 64 hashed bins for all
    other values; there every bin is a cell. With ``rare``, the values that the baseline knows
    beyond the vocabulary have bins after those: 64 hashed ones of their own, a single one in a
    feature of 0.1.0.

    ``center`` and ``scale`` are the baseline's mean and population standard deviation: moments are
    kept as sums around ``center``, Wasserstein is in units of ``scale``. ``low`` and ``high`` are
    the baseline's smallest and largest value; ``ladder`` is the number of bins beyond each of them.
    The share of the values in these bins is the outlier share.

    ``singles`` are the bins of single values, with the value of each. Such a bin reaches as far as
    rounding may move its value (:mod:`detectors.profiles.single_values`). A feature of 0.1.0 does
    not list them: there such a bin ends at the next representable number.

    ``reading`` is how cells are read; a feature of 0.1.0 has none, and takes texts as they stand.
    ``sketch`` is the error of baseline counts that come from a sketch, ``nature`` what values are
    that do not return (see :attr:`compared`), ``joint`` the levels of a feature counted in pairs.

    Values that do not return are judged by their format. Of texts with ``patterns``, the hashed
    bins are those of the pattern of a value, not of the value, and so are the bins of rare values.
    ``magnitude`` is the format of such numbers, see :mod:`detectors.profiles.magnitude`.
    """

    name: str
    type: InferredType
    kind: Kind
    role: Role = "feature"
    edges: tuple[float, ...] = ()
    cells: tuple[int, ...] = ()
    vocabulary: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 0.0
    low: float = 0.0
    high: float = 0.0
    ladder: int = 0
    reading: CellReading | msgspec.UnsetType = msgspec.UNSET
    singles: tuple[tuple[int, float], ...] | msgspec.UnsetType = msgspec.UNSET
    rare: RareValues | msgspec.UnsetType = msgspec.UNSET
    sketch: SketchError | msgspec.UnsetType = msgspec.UNSET
    nature: Nature | msgspec.UnsetType = msgspec.UNSET
    joint: JointLevels | msgspec.UnsetType = msgspec.UNSET
    patterns: TextPatterns | msgspec.UnsetType = msgspec.UNSET
    magnitude: tuple[float, float] | msgspec.UnsetType = msgspec.UNSET

    @property
    def set_fields(self) -> dict[str, object]:
        """The fields that are set, for encoding.

        A struct of more than 15 fields is encoded with another head than one of fewer, also where
        they are not set. A mapping has the head of its own size, as in 0.1.0.
        """
        fields = msgspec.structs.asdict(self)
        return {name: value for name, value in fields.items() if value is not msgspec.UNSET}

    @property
    def cell_reading(self) -> CellReading:
        """The reading of the cells, without markers and booleans for a feature of 0.1.0."""
        return PLAIN if isinstance(self.reading, msgspec.UnsetType) else self.reading

    @property
    def numeric(self) -> bool:
        """True for ``grid`` and ``codes``."""
        return self.kind != "text"

    @property
    def compared(self) -> bool:
        """Whether later values have the distribution of the baseline's, so that it is judged.

        Times and sequence numbers never do, nor do identifiers that are numbers. Identifiers that
        are texts are compared by the share of values never seen, all texts by their patterns.
        """
        if isinstance(self.nature, msgspec.UnsetType):
            return True
        return not self.numeric and (self.nature == "identifier" or bool(self.patterns))

    @property
    def single_values(self) -> dict[int, float]:
        """The values of the bins of a numeric feature that hold a single value, by bin."""
        if not isinstance(self.singles, msgspec.UnsetType):
            return dict(self.singles)
        edges = np.asarray(self.edges)
        adjacent = np.nextafter(edges[:-1], np.inf) == edges[1:]
        return {k + 1: self.edges[k] for k in np.flatnonzero(adjacent).tolist()}

    @property
    def bins(self) -> int:
        """Number of bins, without the head and the tail."""
        if self.numeric:
            return len(self.edges) + 1
        return len(self.vocabulary) + HASHED_BINS + self.rare_bins

    @property
    def rare_bin(self) -> int | None:
        """The first bin of the rare values of a text feature, ``None`` without any."""
        return len(self.vocabulary) + HASHED_BINS if self.rare_bins else None

    @property
    def rare_bins(self) -> int:
        """The number of bins of the rare values of a text feature: 64, 1, or 0 without any."""
        return 0 if isinstance(self.rare, msgspec.UnsetType) else self.rare.bins

    @property
    def bin_cells(self) -> int:
        """Number of coarse cells."""
        return max(self.cells) + 1 if self.numeric else self.bins


class Layout:
    """The order of all counts of a model in one ``int64`` vector.

    Feature ``i`` owns the slots ``starts[i]:starts[i + 1]``: ``HEAD`` slots, its bins, ``TAIL``
    slots. Every cell of the input is counted in exactly one of the eight slots missing, boolean,
    string, integral, fractional, -inf, +inf, NaN, so that these add up to the rows; a finite number
    (or, in a text feature, any value) is counted in one bin as well.

    ``cell_of[slot]`` is the coarse cell of a slot, or -1 for slots that belong to none: all but
    bins. Feature ``i`` owns the cells ``cell_starts[i]:cell_starts[i + 1]``, which hold its finite
    numbers or its texts: missing and unreadable values (NaN, infinities, text in a numeric feature)
    are in no cell. ``unseen[cell]`` is true for cells of values that the baseline does not know:
    the hashed ones of a text feature, and ``other`` of a feature of codes.

    ``segmentations`` divide the rows into segments with counts of their own, which are in another
    vector, see :mod:`detectors.profiles.segments`. Two layouts are the same if their fingerprints
    are: a hash over every field of every feature, in order.
    """

    def __init__(
        self, features: tuple[Feature, ...], segmentations: tuple[Segmentation, ...] = ()
    ) -> None:
        names = [feature.name for feature in features]
        if len(set(names)) != len(names):
            repeated = next(name for name in names if names.count(name) > 1)
            raise LayoutInvalid("feature names are not unique", name=repeated)
        for feature in features:
            _check(feature)
        self.features = features
        self.segmentations = segmentations
        self.starts = _starts([HEAD + feature.bins + TAIL for feature in features])
        self.cell_starts = _starts([feature.bin_cells for feature in features])
        self._labels: dict[int, list[str]] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def size(self) -> int:
        """Length of the vector of counts."""
        return int(self.starts[-1])

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over the features, and over the segmentations if there are any."""
        encoded = msgspec.msgpack.encode([feature.set_fields for feature in self.features])
        if self.segmentations:
            encoded += msgspec.msgpack.encode(self.segmentations)
        return blake2b(encoded, digest_size=8).hexdigest()

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each feature by name."""
        return {feature.name: i for i, feature in enumerate(self.features)}

    @cached_property
    def joint_features(self) -> tuple[int, ...]:
        """Positions of the features that are counted in pairs."""
        return tuple(i for i, each in enumerate(self.features) if each.joint is not msgspec.UNSET)

    @cached_property
    def edges(self) -> list[NDArray[np.float64]]:
        """The edges of the bins of each feature; none for text."""
        return [np.array(feature.edges, np.float64) for feature in self.features]

    @cached_property
    def cell_of(self) -> NDArray[np.int64]:
        """The coarse cell of each slot, -1 where a slot has none."""
        out = np.full(self.size, -1, dtype=np.int64)
        for i, feature in enumerate(self.features):
            start, stop = int(self.starts[i]), int(self.starts[i + 1])
            first = int(self.cell_starts[i])
            inside = np.array(feature.cells) if feature.numeric else np.arange(feature.bins)
            out[start + HEAD : stop - TAIL] = first + inside
        return out

    @cached_property
    def unseen(self) -> NDArray[np.bool_]:
        """Whether each coarse cell holds values that the baseline does not know."""
        out = np.zeros(int(self.cell_starts[-1]), bool)
        for i, feature in enumerate(self.features):
            first, stop = int(self.cell_starts[i]), int(self.cell_starts[i + 1])
            if not feature.numeric:
                hashed = first + len(feature.vocabulary)
                out[hashed : hashed + HASHED_BINS] = True
            elif feature.kind == "codes":
                out[stop - 1] = True
        return out

    @cached_property
    def rare(self) -> NDArray[np.bool_]:
        """Whether each coarse cell holds rare values of a text feature, many in one cell."""
        out = np.zeros(int(self.cell_starts[-1]), bool)
        for i, feature in enumerate(self.features):
            if feature.rare_bin is not None:
                first = int(self.cell_starts[i]) + feature.rare_bin
                out[first : first + feature.rare_bins] = True
        return out

    @cached_property
    def rare_new_share(self) -> NDArray[np.float64]:
        """``new_share`` of the rare values of each feature, 0 without any."""
        shares = [
            0.0 if isinstance(feature.rare, msgspec.UnsetType) else feature.rare.new_share
            for feature in self.features
        ]
        return np.array(shares, np.float64)

    def bins(self, i: int) -> slice:
        """The slots of the bins of feature ``i``."""
        return slice(int(self.starts[i]) + HEAD, int(self.starts[i + 1]) - TAIL)

    def lone_bins(self, i: int) -> NDArray[np.int64]:
        """The slots of the bins of feature ``i`` that hold a single value: words, codes, atoms."""
        feature = self.features[i]
        first = int(self.starts[i]) + HEAD
        if not feature.numeric:
            return first + np.arange(len(feature.vocabulary))
        return first + np.array(sorted(feature.single_values), np.int64)

    def bin_label(self, i: int, slot: int) -> str:
        """The name of a bin of :meth:`lone_bins`: its value."""
        feature = self.features[i]
        position = slot - int(self.starts[i]) - HEAD
        if feature.numeric:
            return Ends(feature).values[position]
        return _quoted(feature.vocabulary[position])

    def coarse(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts of all coarse cells (length ``cell_starts[-1]``) from the vector of counts."""
        slots, cells = self._used
        sums = np.bincount(cells, weights=counts[slots], minlength=int(self.cell_starts[-1]))
        return sums.astype(np.int64)

    @cached_property
    def _used(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Slots that belong to a cell, and their cells."""
        slots = np.flatnonzero(self.cell_of >= 0)
        return slots, self.cell_of[slots]

    def cell_labels(self, i: int) -> Sequence[str]:
        """The name of each coarse cell of feature ``i``.

        An interval, a value, ``other``, ``unseen #k`` or ``rare values #k`` (``rare values`` where
        they share a bin). A value of a text feature that reads like one of driftline's own names is
        in quotes, so that no two cells share a name.
        """
        if i not in self._labels:
            feature = self.features[i]
            labels = interval_labels(feature) if feature.numeric else _text_labels(feature)
            self._labels[i] = labels
        return self._labels[i]


def _starts(widths: Sequence[int]) -> NDArray[np.int64]:
    """The start of each of several consecutive ranges, and the end of the last one."""
    ends = np.cumsum(widths, dtype=np.int64)
    return np.concatenate(([0], ends)).astype(np.int64)


def _check(feature: Feature) -> None:
    joint, words = feature.joint, len(feature.vocabulary)
    if not isinstance(joint, msgspec.UnsetType) and (problem := joint.problem(words)):
        raise LayoutInvalid(problem, name=feature.name)
    if not feature.numeric:
        if len(set(feature.vocabulary)) != len(feature.vocabulary):
            raise LayoutInvalid("vocabulary has a value twice", name=feature.name)
        if not isinstance(feature.rare, msgspec.UnsetType) and feature.rare.problem:
            raise LayoutInvalid(feature.rare.problem, name=feature.name)
        if feature.patterns and feature.patterns.problem:
            raise LayoutInvalid(feature.patterns.problem, name=feature.name)
        return
    edges = np.asarray(feature.edges)
    rising = np.all(np.isfinite(edges)) and np.all(edges[1:] > edges[:-1])
    if not 0 < len(edges) <= MAX_EDGES or not rising:
        reason = f"edges must be 1 to {MAX_EDGES} rising finite numbers"
        raise LayoutInvalid(reason, name=feature.name)
    cells = set(feature.cells)
    if len(feature.cells) != feature.bins or cells != set(range(max(cells) + 1)):
        reason = "cells must name a cell for each bin, numbered without holes"
        raise LayoutInvalid(reason, name=feature.name)


def _text_labels(feature: Feature) -> list[str]:
    hashed = (f"unseen #{k}" for k in range(HASHED_BINS))
    several = (f"{RARE_LABEL} #{k}" for k in range(feature.rare_bins))
    rare = [RARE_LABEL] if feature.rare_bins == 1 else several
    return [*map(_quoted, feature.vocabulary), *hashed, *rare]


def _quoted(value: str) -> str:
    """The value, in quotes if it reads like the name of another cell."""
    names = ("missing", "unreadable", RARE_LABEL, "")
    if value in names or value.startswith(("unseen #", f"{RARE_LABEL} #", NEW, '"')):
        return f'"{value}"'
    return value
