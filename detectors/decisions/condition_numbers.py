"""The numbers that conditions may name: those of a window's report, by the names of its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import isfinite
from types import MappingProxyType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from detectors.profiles.layout import Feature
from detectors.report import FeatureReport
from detectors.statistics.catalogue import DISTANCES, fits
from detectors.statistics.measures import TYPES

OF_WINDOW: Final = ("rows", "expected_rows", "violations")
"""The numbers of a window as a whole."""
OF_TYPES: Final = ("share", "baseline_share")
"""The numbers of a written type and a feature."""
VALUES: Final = frozenset({"min", "max", "baseline_min", "baseline_max"})
"""The numbers that are values of the feature, and told only where values may be exposed."""
_OF_NUMBERS: Final = ("mean", "std", "sum", "min", "max", "outlier_share")
"""Numbers that text does not have."""

Reader = Callable[[FeatureReport], float | None]


@cache
def of_features() -> Mapping[str, Reader]:
    """How each number of a feature is read from its report, by name.

    These are the fields of :class:`~detectors.report.FeatureReport` that hold one number, those of
    the structs in it with the field's name before them (``baseline_mean``), and the distances.
    """
    readers = {name: _distance(name) for name in DISTANCES if name.isidentifier()}
    return MappingProxyType({**readers, **_fields_of(FeatureReport)})


def _fields_of(struct: type[msgspec.Struct]) -> dict[str, Reader]:
    readers: dict[str, Reader] = {}
    for field in msgspec.structs.fields(struct):
        is_union = get_origin(field.type) in (Union, UnionType)
        kinds = set(get_args(field.type) if is_union else (field.type,)) - {type(None)}
        inner = next(iter(kinds)) if len(kinds) == 1 else None
        if kinds and kinds <= {int, float}:
            readers[field.name] = _field(field.name)
        elif isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            for name, read in _fields_of(inner).items():
                readers[f"{field.name}_{name}"] = _inside(field.name, read)
    return readers


def _field(name: str) -> Reader:
    return lambda report: getattr(report, name)


def _inside(name: str, read: Callable[[Any], float | None]) -> Reader:
    def of_part(report: FeatureReport) -> float | None:
        part = getattr(report, name)
        return None if part is None else read(part)

    return of_part


def _distance(name: str) -> Reader:
    return lambda report: report.distances.get(name)


def applies(number: str, feature: Feature) -> bool:
    """Whether a number can be defined of a feature: text has no mean, numbers have no l_infinity.

    Of a feature whose type is not known yet every number may be.
    """
    if feature.type == "Unknown":
        return True
    if number in DISTANCES:
        return fits(number, feature.numeric)
    return feature.numeric or number.removeprefix("baseline_") not in _OF_NUMBERS


class WindowNumbers:
    """The numbers of one window, as conditions name them.

    ``of_window`` are those of the window as a whole, ``features`` the reports of the features.
    """

    def __init__(
        self, of_window: Mapping[str, float | None], features: Mapping[str, FeatureReport]
    ) -> None:
        self._of_window = of_window
        self._features = features

    def has(self, features: tuple[str, ...]) -> bool:
        """Whether the window has all of these features."""
        return all(name in self._features for name in features)

    def number(self, name: str, arguments: tuple[str, ...] = ()) -> float | None:
        """A number by its name, and the feature or type and feature in its parentheses.

        ``None`` where it is not defined: without values, or where it is not finite.
        """
        if name in self._of_window:
            return _finite(self._of_window[name])
        report = self._features[arguments[-1]]
        if name not in OF_TYPES:
            return _finite(of_features()[name](report))
        side = report if name == "share" else report.baseline
        # A type that does not occur has no entry; without any value there is no share.
        return None if side is None or not side.types else side.types.get(arguments[0], 0.0)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def written_types() -> tuple[str, ...]:
    """The names of written types, for ``share(type, feature)``."""
    return tuple(TYPES)
