"""Changes in the stream of errors: river's detectors on the error of each labelled row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from operator import attrgetter
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.errors import ErrorStateInvalid
from detectors.quality.config import Problem
from detectors.quality.detector_state import plain_state, restore_state
from detectors.quality.error_change import ErrorChange
from detectors.quality.error_detectors import AnyErrorDetector
from detectors.quality.error_levels import ErrorLevels
from detectors.quality.rows import LabelledRows

STATE_VERSION: Final = 1
"""The version of the encoded state, raised when its meaning changes."""


class _StoredDetector(msgspec.Struct, array_like=True, frozen=True):
    """One detector in the state: its configuration, the attributes of river's object, its rows."""

    configuration: dict[str, Any]
    attributes: dict[str, Any]
    older_rows: int
    older_sum: float
    latest: bytes


class _StoredStream(msgspec.Struct, array_like=True, frozen=True):
    """All detectors of a stream, and the number of its rows."""

    rows: int
    detectors: list[_StoredDetector]


class _WatchedErrors:
    """One detector with river's object, and the levels since its previous change."""

    def __init__(self, configuration: AnyErrorDetector) -> None:
        self.configuration = configuration
        self._river = _river_detector(configuration)
        self._levels = ErrorLevels()

    def changes(self, errors: Floats, rows: int) -> Iterator[ErrorChange]:
        """Update the detector by a batch; ``rows`` precede it in the stream."""
        unit = self.configuration.unit_or_none
        usable = errors if unit is None else np.minimum(errors, unit)
        position = np.flatnonzero(np.isfinite(usable))
        usable = usable[position]
        start = 0
        for at in self._alarms(usable if unit is None else usable / unit):
            self._levels.extend(usable[start : at + 1])
            yield self._change(int(position[at]), rows)
            self._levels = ErrorLevels()
            start = at + 1
        self._levels.extend(usable[start:])

    def _alarms(self, values: Floats) -> Iterator[int]:
        detector = self._river
        update = detector.update
        for at, value in enumerate(values.tolist()):
            update(value)
            if detector.drift_detected:
                yield at

    def _change(self, index: int, rows: int) -> ErrorChange:
        split = self._levels.split()
        return ErrorChange(
            detector=self.configuration.type,
            rising=split.before is not None and split.after > split.before,
            rows=self._levels.rows,
            before=split.before,
            after=split.after,
            rows_before=split.rows_before,
            rows_after=split.rows_after,
            row=rows + index + 1,
            index=index,
        )

    def stored(self) -> _StoredDetector:
        """Everything that later changes depend on."""
        return _StoredDetector(
            configuration=msgspec.to_builtins(self.configuration),
            attributes=plain_state(self._river),
            older_rows=self._levels.older_rows,
            older_sum=self._levels.older_sum,
            latest=self._levels.latest.tobytes(),
        )

    def restore(self, stored: _StoredDetector) -> None:
        """Continue from what :meth:`stored` returned."""
        restore_state(self._river, stored.attributes)
        latest = np.frombuffer(stored.latest, np.float64)
        self._levels = ErrorLevels(stored.older_rows, stored.older_sum, latest)


class ErrorStream:
    """The errors of the labelled rows of one model and variant, watched by detectors.

    The changes are a function of the errors and their order: neither the batches nor a restart
    from :meth:`state` makes a difference. KSWIN draws with a seed that is part of its
    configuration, and the state of its generator is kept.

    ``state`` is what :meth:`state` returned before, if anything. A detector that has another
    configuration since, or is new, begins anew and is listed in ``begun``; one that is configured
    no longer is forgotten. Raises ``ErrorStateInvalid`` for a state that is damaged, of another
    version, or of another version of river, whose objects may mean something else.

    Rows per second of one core, with an error rate of 0.1 and 0.9 in turn and the default
    parameters: adwin 2,000,000, ddm, eddm and page_hinkley 1,700,000 or more, hddm_w 280,000,
    hddm_a 140,000, kswin 2,800. So kswin cannot follow more than about two thousand labels per
    second; the others can follow 50,000.

    >>> from detectors.quality.error_detectors import ErrorAdwin
    >>> stream = ErrorStream([ErrorAdwin()])
    >>> [(change.row, change.rising) for change in stream.update(np.repeat([0.0, 1.0], 1000))]
    [(1013, True)]
    """

    def __init__(self, detectors: Sequence[AnyErrorDetector], state: bytes | None = None) -> None:
        self._watched = [_WatchedErrors(detector) for detector in detectors]
        self.rows = 0
        self.begun = tuple(detectors)
        if state is not None:
            self._restore(_decode(state))

    def update(self, errors: Floats) -> list[ErrorChange]:
        """Return the changes that a batch of errors completes, in the order of its rows.

        ``errors`` has shape (rows,): 0 or 1 for classes, the absolute error for regression. Rows
        with a NaN, or with an infinite error where no ``unit`` bounds it, are counted and passed
        over. Raises ``ValueError`` for an error that is negative, or not of the kind that a
        detector is defined for: :func:`error_detector_faults` refuses such a configuration.
        """
        for watched in self._watched:
            _check_kind(errors, watched.configuration)
        changes = [
            change for watched in self._watched for change in watched.changes(errors, self.rows)
        ]
        self.rows += len(errors)
        return sorted(changes, key=attrgetter("index"))

    def state(self) -> bytes:
        """Return everything that later changes depend on, as MessagePack.

        2 KiB for each detector's latest rows, and beyond that about: adwin 0.15 KiB for each
        doubling of its window (2.7 KiB after a million rows), kswin 9 bytes for each row of
        ``window_size`` and 3.3 KiB for its generator, hddm_w 1 KiB, the others 0.3 KiB.
        """
        stored = _StoredStream(self.rows, [watched.stored() for watched in self._watched])
        payload = msgspec.msgpack.encode(stored)
        return msgspec.msgpack.encode((STATE_VERSION, _river_version(), crc32(payload), payload))

    def _restore(self, stored: _StoredStream) -> None:
        self.rows = stored.rows
        begun = []
        for watched in self._watched:
            configuration = msgspec.to_builtins(watched.configuration)
            same = [each for each in stored.detectors if each.configuration == configuration]
            if not same:
                begun.append(watched.configuration)
                continue
            try:
                watched.restore(same[0])
            except (AttributeError, TypeError, ValueError) as error:
                raise ErrorStateInvalid(f"{watched.configuration.type}: {error}") from error
        self.begun = tuple(begun)


def errors_of(rows: LabelledRows, problem: Problem) -> Floats:
    """The error of each row that counts, in their order: shape (rows with a positive weight,).

    For classes 1 where prediction and label differ, else 0; for regression ``|prediction -
    label|``. NaN where one of both is NaN. Rows that are withdrawn (weight -1) have been seen
    before and are left out.
    """
    counts = rows.weight > 0
    difference = np.abs(rows.prediction[counts] - rows.label[counts])
    if problem == "regression":
        return difference
    return np.where(np.isnan(difference), np.nan, (difference != 0).astype(np.float64))


def _check_kind(errors: Floats, detector: AnyErrorDetector) -> None:
    if np.any(errors < 0):
        raise ValueError("an error is negative")
    if detector.errors == "0 or 1":
        wrong = (errors != 0) & (errors != 1) & ~np.isnan(errors)
    elif detector.errors == "0 to 1" and detector.unit_or_none is None:
        wrong = errors > 1
    else:
        return
    if np.any(wrong):
        raise ValueError(f"{detector.type} is for errors of {detector.errors}")


def _decode(state: bytes) -> _StoredStream:
    try:
        ours, river, checksum, payload = msgspec.msgpack.decode(
            state, type=tuple[int, str, int, bytes]
        )
        if ours != STATE_VERSION:
            raise ErrorStateInvalid(f"version {ours} of the state, not {STATE_VERSION}")
        if river != _river_version():
            raise ErrorStateInvalid(f"written by river {river}, not {_river_version()}")
        if crc32(payload) != checksum:
            raise ErrorStateInvalid("the checksum differs")
        return msgspec.msgpack.decode(payload, type=_StoredStream)
    except msgspec.DecodeError as error:
        raise ErrorStateInvalid(str(error)) from error


def _river_detector(detector: AnyErrorDetector) -> Any:
    # Imported here: river takes 74 MB that few jobs need.
    import river.drift.binary

    return attrgetter(detector.river_class)(river)(**detector.parameters())


def _river_version() -> str:
    return version("river")
