"""The errors that `detectors` raises. They carry data as attributes; their text is for people."""

from __future__ import annotations


class DetectorError(Exception):
    """Base of the errors that ``detectors`` raises."""


class LayoutInvalid(DetectorError):
    """A layout that is not valid: the ``reason``, and the ``name`` of the feature."""

    def __init__(self, reason: str, *, name: str = "") -> None:
        self.reason = reason
        self.name = name
        super().__init__(f"layout of feature {name!r}: {reason}" if name else f"layout: {reason}")


class LayoutMismatch(DetectorError):
    """Profiles of two layouts, which cannot be merged: ``ours`` and ``theirs`` are fingerprints."""

    def __init__(self, ours: str, theirs: str) -> None:
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"profiles of different layouts cannot be merged: {ours} and {theirs}")


class SeasonsMismatch(DetectorError):
    """Seasons of two calendars, which cannot be merged: ``ours`` and ``theirs`` are their parts."""

    def __init__(self, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
        self.ours = ours
        self.theirs = theirs
        parts = " and ".join(", ".join(by) for by in (ours, theirs))
        super().__init__(f"seasons of different calendars cannot be merged: {parts}")


class ProfileInvalid(DetectorError):
    """An encoded profile that is damaged: the ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"profile: {reason}")


class ConditionInvalid(DetectorError):
    """A condition that cannot be read: the ``reason``.

    ``name`` is the name in it that is unknown, if one is, and ``valid`` are the names in its place.
    """

    def __init__(self, reason: str, *, name: str = "", valid: tuple[str, ...] = ()) -> None:
        self.reason = reason
        self.name = name
        self.valid = valid
        super().__init__(f"condition: {reason}")


class ErrorStateInvalid(DetectorError):
    """A state of error detectors that cannot be continued: the ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"state of error detectors: {reason}")


class BaselineInvalid(DetectorError):
    """A baseline that cannot be used: the ``field`` that is wrong, and the ``reason``."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"baseline: {field}: {reason}")


class ComponentInvalid(DetectorError):
    """A component of another distribution that cannot be used: why (``reason``), and what to do
    (``advice``).

    It is entry point ``name`` of ``group`` in ``distribution``.
    """

    def __init__(
        self,
        group: str,
        name: str,
        distribution: str,
        reason: str,
        advice: str = "Correct that distribution, or uninstall it",
    ) -> None:
        self.group = group
        self.name = name
        self.distribution = distribution
        self.reason = reason
        self.advice = advice
        super().__init__(
            f"entry point {name!r} of {group}, in distribution {distribution}: {reason}. {advice}"
        )
