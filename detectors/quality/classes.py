"""The names of classes: one name for all spellings of a number, and the two classes of a model."""

from __future__ import annotations

from typing import Final, NamedTuple

from detectors.quality.config import QualityConfig

DEFAULT_POSITIVE: Final = "1"
"""The positive class where neither the configuration nor the baseline names one."""
_OPPOSITES: Final = {"1": "0", "true": "false", "yes": "no", "t": "f", "y": "n"}
_OPPOSITE_OF: Final = _OPPOSITES | {no: yes for yes, no in _OPPOSITES.items()}


class ClassPair(NamedTuple):
    """The names of the two classes of a binary problem; ``negative`` is empty if it is unknown."""

    positive: str
    negative: str


def class_name(value: float | str | bool) -> str:
    """Return the name of a class, the same for all spellings of one number.

    >>> class_name("1.0"), class_name(1), class_name(True), class_name(" fraud ")
    ('1', '1', 'true', 'fraud')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            return text
        if "_" in text:
            return text
        value = number
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def class_pair(config: QualityConfig, baseline_pair: tuple[str, str] | None) -> ClassPair:
    """Return the names of the positive and the negative class, as :func:`class_name` writes them.

    ``baseline_pair`` has those of the model's quality baseline. The configuration comes first, then
    the baseline: if ``positive`` is one of its classes, the other one is negative. Without both,
    the positive class is ``1``. The negative one is the opposite of the positive one where that is
    known, else empty.

    >>> class_pair(QualityConfig(problem="binary"), ("churned", "stayed"))
    ClassPair(positive='churned', negative='stayed')
    >>> class_pair(QualityConfig(problem="binary", positive="stayed"), ("churned", "stayed"))
    ClassPair(positive='stayed', negative='churned')
    >>> class_pair(QualityConfig(problem="binary", positive="Yes"), None)
    ClassPair(positive='Yes', negative='No')
    """
    names = [class_name(name) for name in baseline_pair or ()]
    positive = class_name(config.positive or (names[0] if names else DEFAULT_POSITIVE))
    if config.negative:
        return ClassPair(positive, class_name(config.negative))
    if positive in names:
        return ClassPair(positive, names[1 - names.index(positive)])
    return ClassPair(positive, opposite(positive))


def opposite(name: str) -> str:
    """Return the opposite of a class in the same letters, empty if it is not known.

    >>> opposite("1"), opposite("No"), opposite("fraud")
    ('0', 'Yes', '')
    """
    other = _OPPOSITE_OF.get(name.lower(), "")
    if name.isupper():
        return other.upper()
    return other.capitalize() if name[:1].isupper() else other
