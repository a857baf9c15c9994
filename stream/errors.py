"""The errors that end the service or a command. They carry data; their text is for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.faults import did_you_mean

LONGEST_LIST: Final = 20
"""The largest number of valid names that a message shows."""


class DriftlineError(Exception):
    """Base of the errors that end the program with a message and an ``exit_code``."""

    exit_code = 1


class ConfigFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a configuration: the ``path`` of the key, and the ``reason`` in a sentence.

    ``path`` is empty for the file as a whole. The reason names what was ``expected``, what was
    ``found`` and the ``valid`` names; these three repeat it as data, where they apply. ``line``
    counts from 1; 0 means that the fault has no line, as in a configuration that was not read from
    a file.

    >>> str(ConfigFault(path="rules.k", reason="expected a whole number >= 1, found 'two'"))
    "rules.k: expected a whole number >= 1, found 'two'"
    """

    path: str
    reason: str
    expected: str = ""
    found: str = ""
    valid: tuple[str, ...] = ()
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class ConfigError(DriftlineError):
    """A configuration that cannot be used, with all ``faults`` that were found in one run.

    ``file`` is the path of the configuration, empty if it was not read from a file.

    >>> keys = ConfigFault(path="souce", reason="unknown key", line=4)
    >>> print(ConfigError([keys], "config.yaml"))
    config.yaml:4: souce: unknown key
    >>> rules = ConfigFault(path="rules.k", reason="expected a whole number >= 1", line=12)
    >>> print(ConfigError([keys, rules], "config.yaml"))
    config.yaml: 2 faults
      line 4   souce: unknown key
      line 12  rules.k: expected a whole number >= 1
    """

    exit_code = 2

    def __init__(self, faults: Sequence[ConfigFault], file: str = "") -> None:
        self.faults = tuple(faults)
        self.file = file
        super().__init__(_one_line(faults[0], file) if len(faults) == 1 else _block(faults, file))


def _one_line(fault: ConfigFault, file: str) -> str:
    position = f":{fault.line}" if fault.line else ""
    return f"{file}{position}: {fault}" if file else str(fault)


def _block(faults: Sequence[ConfigFault], file: str) -> str:
    lines = [f"line {fault.line}" if fault.line else "" for fault in faults]
    width = max(map(len, lines), default=0)
    margins = [f"  {line:<{width}}  " if width else "  " for line in lines]
    listed = [f"{margin}{fault}" for margin, fault in zip(margins, faults, strict=True)]
    return "\n".join([f"{file or 'configuration'}: {len(faults)} faults", *listed])


class DataError(DriftlineError):
    """Data that a command cannot use: ``where`` they are, and the ``reason``.

    Training files, reports, and the baselines to explain them.
    """

    exit_code = 2

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class ColumnsUnknown(DataError):
    """Column names that the training data does not have.

    ``purpose`` is the option that names them (``exclude``, ``predictions``, ``text`` or
    ``number``), ``columns`` are the missing ones, ``valid`` the existing ones.
    """

    def __init__(
        self, where: str, purpose: str, columns: Sequence[str], valid: Sequence[str]
    ) -> None:
        self.purpose = purpose
        self.columns = tuple(columns)
        self.valid = tuple(valid)
        names = ", ".join(map(repr, columns))
        hint = did_you_mean(columns[0], valid)
        shown = ", ".join(map(repr, valid[:LONGEST_LIST]))
        more = f" and {len(valid) - LONGEST_LIST} more" if len(valid) > LONGEST_LIST else ""
        comma = any("," in name for name in valid)
        advice = """. A name with a comma is given in double quotes: '"a,b"'""" if comma else ""
        super().__init__(where, f"no column {names}{hint}; columns: {shown}{more}{advice}")


class SourceUnavailable(DriftlineError):
    """A ``source`` that cannot be read, with the ``causes`` and ``advice``.

    ``transient``: a retry may succeed.
    """

    exit_code = 3

    def __init__(
        self, source: str, causes: Sequence[str], advice: str = "", transient: bool = False
    ) -> None:
        self.source = source
        self.causes = tuple(causes)
        self.advice = advice
        self.transient = transient
        super().__init__(f"{source}: {'; '.join(self.causes)}" + (f". {advice}" if advice else ""))


class HttpUnavailable(DriftlineError):
    """An HTTP server that cannot listen, with the ``causes`` and ``advice``."""

    exit_code = 8

    def __init__(self, address: str, causes: Sequence[str], advice: str) -> None:
        self.address = address
        self.causes = tuple(causes)
        self.advice = advice
        super().__init__(f"{address}: {'; '.join(self.causes)}. {advice}")


class SinkUnusable(DriftlineError):
    """A sink that cannot deliver: its path in the configuration, the ``problem``, ``advice``."""

    exit_code = 2

    def __init__(self, where: str, problem: str, advice: str) -> None:
        self.where = where
        self.problem = problem
        self.advice = advice
        super().__init__(f"{where}: {problem}. {advice}")


class BaselineMismatch(DriftlineError):
    """A baseline that does not fit its model: ``field`` names the difference."""

    exit_code = 2

    def __init__(self, model: str, field: str, expected: str, found: str) -> None:
        self.model = model
        self.field = field
        self.expected = expected
        self.found = found
        super().__init__(
            f"baseline of model {model!r}: {field}: expected {expected}, found {found}"
        )


class StateIncompatible(DriftlineError):
    """A stored state that belongs to another configuration.

    ``field`` names the difference, ``stored`` and ``configured`` are its two values.
    """

    exit_code = 4

    def __init__(self, field: str, stored: str, configured: str, advice: str = "") -> None:
        self.field = field
        self.stored = stored
        self.configured = configured
        self.advice = advice
        text = f"state: {field} was {stored}, configured is {configured}"
        super().__init__(text + (f". {advice}" if advice else ""))


class ReloadRefused(DriftlineError):
    """An edit that a running service does not apply: the ``keys`` or files, and the reason.

    >>> print(ReloadRefused(["window", "sinks[0].path"], "only limits are applied"))
    window, sinks[0].path: only limits are applied
    """

    exit_code = 2

    def __init__(self, keys: Sequence[str], reason: str) -> None:
        self.keys = tuple(keys)
        self.reason = reason
        more = len(keys) - LONGEST_LIST
        names = ", ".join(keys[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
        super().__init__(f"{names}: {reason}")


class StateUnreadable(DriftlineError):
    """A state that cannot be read: damaged, another program's, or written by another version.

    ``where`` is its file or its object in S3.
    """

    exit_code = 4

    def __init__(self, where: str, reason: str, advice: str) -> None:
        self.where = where
        self.reason = reason
        self.advice = advice
        super().__init__(f"state {where} cannot be read: {reason}. {advice}")


class StateConflict(DriftlineError):
    """Two states of one job: the file at ``path``, which was never in S3, and one at ``where``."""

    exit_code = 4

    def __init__(self, path: str, where: str) -> None:
        self.path = path
        self.where = where
        super().__init__(
            f"state {path} was never in S3, and {where} holds another state of this job. Move one"
            " of the two away; the other one is then used"
        )


class StateLocked(DriftlineError):
    """Another service owns the state at ``path``."""

    exit_code = 5

    def __init__(self, path: str) -> None:
        self.path = path
        advice = "Stop that service, or start this one with --standby"
        super().__init__(
            f"state {path} is in use by another service; one job has one owner. {advice}"
        )


class OwnershipLost(DriftlineError):
    """Another service has taken over the state at ``path``.

    ``owner`` is its id; empty if the object in S3 was deleted.
    """

    exit_code = 5

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner
        cause = f"another service ({owner}) owns the job now" if owner else "the object was deleted"
        super().__init__(
            f"state {path}: {cause}. This service has stopped; it has delivered nothing that was"
            " not in the state"
        )


class GapFound(DriftlineError):
    """A position that the log no longer has, under ``on_gap: stop``.

    Records of ``partition`` from ``expected`` to ``resume`` are gone, for this ``reason``; ``lost``
    is their number, ``None`` if it is unknown.
    """

    exit_code = 6

    def __init__(
        self, partition: str, expected: str, resume: str, lost: int | None, reason: str
    ) -> None:
        self.partition = partition
        self.expected = expected
        self.resume = resume
        self.lost = lost
        count = "an unknown number of" if lost is None else str(lost)
        super().__init__(
            f"gap in {partition}: {count} records from {expected} to {resume} are gone: {reason}."
            " With `on_gap: continue` the job continues without them"
        )


class StateUnwritable(DriftlineError):
    """A commit that failed, for example on a full disk or without permission.

    It was rolled back: the state on disk is that of the last commit.
    """

    exit_code = 7

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"state {path} cannot be written: {reason}. Everything committed before is intact"
        )
