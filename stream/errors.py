"""Errors of the runtime: they carry data; their text is for people."""

from __future__ import annotations

from collections.abc import Sequence


class DriftlineError(Exception):
    """Base of the errors that end the program with a message; ``exit_code`` is what it exits with."""

    exit_code = 1


class ConfigError(DriftlineError):
    """A configuration that cannot be used: the ``path`` in the file, what was expected, what was
    found, the valid names.
    """

    exit_code = 2

    def __init__(
        self, path: str, expected: str, found: str = "", valid: Sequence[str] = ()
    ) -> None:
        self.path, self.expected, self.found, self.valid = path, expected, found, tuple(valid)
        text = f"{path}: expected {expected}"
        text += f", found {found}" if found else ""
        super().__init__(text + (f"; valid: {', '.join(self.valid)}" if valid else ""))


class SourceUnavailable(DriftlineError):
    """A source that cannot be read: which (``source``), why (``causes``), what to do (``advice``).
    ``transient``: waiting may heal it.
    """

    exit_code = 3

    def __init__(
        self, source: str, causes: Sequence[str], advice: str = "", transient: bool = False
    ) -> None:
        self.source, self.causes, self.advice, self.transient = (
            source,
            tuple(causes),
            advice,
            transient,
        )
        super().__init__(f"{source}: {'; '.join(self.causes)}" + (f". {advice}" if advice else ""))


class SinkUnusable(DriftlineError):
    """A sink (``where`` in the configuration) that nothing can be delivered with: why (``what``),
    and what to do (``advice``).
    """

    exit_code = 2

    def __init__(self, where: str, what: str, advice: str) -> None:
        self.where, self.what, self.advice = where, what, advice
        super().__init__(f"{where}: {what}. {advice}")


class BaselineMismatch(DriftlineError):
    """A baseline that does not fit what it is used for: ``field`` names the difference."""

    exit_code = 2

    def __init__(self, model: str, field: str, expected: str, found: str) -> None:
        self.model, self.field, self.expected, self.found = model, field, expected, found
        super().__init__(
            f"baseline of model {model!r}: {field}: expected {expected}, found {found}"
        )


class StateIncompatible(DriftlineError):
    """A stored state that belongs to another configuration.

    ``field`` names what differs, ``stored`` and ``configured`` are its two values.
    """

    exit_code = 4

    def __init__(self, field: str, stored: str, configured: str, advice: str = "") -> None:
        self.field, self.stored, self.configured, self.advice = field, stored, configured, advice
        text = f"state: {field} was {stored}, the configuration says {configured}"
        super().__init__(text + (f". {advice}" if advice else ""))


class StateUnreadable(DriftlineError):
    """A state that cannot be read: damaged, another program's, or written by another version.

    ``where`` is its file or its object in S3.
    """

    exit_code = 4

    def __init__(self, where: str, reason: str, advice: str) -> None:
        self.where, self.reason, self.advice = where, reason, advice
        super().__init__(f"state {where} cannot be read: {reason}. {advice}")


class StateConflict(DriftlineError):
    """Two states of one job: the file at ``path`` was never in S3, and ``where`` holds another."""

    exit_code = 4

    def __init__(self, path: str, where: str) -> None:
        self.path, self.where = path, where
        super().__init__(
            f"state {path} was never in S3, and {where} holds another state of this job. Move one"
            " of the two away; the other one is then used"
        )


class StateLocked(DriftlineError):
    """Another service owns the state at ``path``."""

    exit_code = 5

    def __init__(self, path: str) -> None:
        self.path = path
        advice = "Stop that one, or start this one with --standby"
        super().__init__(
            f"state {path} is in use by another service; one job has one owner. {advice}"
        )


class OwnershipLost(DriftlineError):
    """Another service (``owner``; empty: the object was deleted) has taken over the state at
    ``path``.
    """

    exit_code = 5

    def __init__(self, path: str, owner: str) -> None:
        self.path, self.owner = path, owner
        what = f"another service ({owner}) owns the job now" if owner else "somebody has deleted it"
        super().__init__(
            f"state {path}: {what}. This service has stopped, and has delivered nothing that was"
            " not in the state"
        )


class GapFound(DriftlineError):
    """``on_gap: stop`` and the log no longer has a position: ``partition``, ``expected``,
    ``resume``, ``lost``.
    """

    exit_code = 6

    def __init__(self, partition: str, expected: str, resume: str, lost: int | None) -> None:
        self.partition, self.expected, self.resume, self.lost = partition, expected, resume, lost
        count = "an unknown number of" if lost is None else str(lost)
        super().__init__(
            f"gap in {partition}: {count} records from {expected} to {resume} are gone. on_gap:"
            " continue goes on without them"
        )


class StateUnwritable(DriftlineError):
    """A commit that failed (full disk, no rights): nothing of it was kept, the state on disk is the
    last commit.
    """

    exit_code = 7

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"state {path} cannot be written: {reason}. What was committed before is intact"
        )
