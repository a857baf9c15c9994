"""Metrics of your own: classes with ``update``, ``merge`` and ``value``.

The state of an object, its attributes, is kept as MessagePack and never as a pickle, so that
reading a state runs no foreign code. A metric that fails is undefined with the reason, and nothing
else is lost: its state then is the failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from math import isfinite
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.errors import DetectorError
from detectors.quality.attributes import AttributesInvalid, decode_attributes, encode_attributes
from detectors.quality.base import Metric
from detectors.quality.counts import QualityCounts
from detectors.quality.intervals import undefined
from detectors.quality.rows import LabelledRows

METHODS: Final = ("update", "merge", "value")
LARGEST_STATE_BYTES: Final = 1 << 20
"""The size of the largest state, for each window, model and variant: it must not hold all rows."""


class CustomBatch(NamedTuple):
    """Labelled rows, as columns of the same length that must not be changed.

    ``probability`` is NaN where there is no score. The codes of classes are 1 (positive) and 0 in
    a binary problem. ``weight`` is 1, or -1 for a row that was added before and is withdrawn.
    """

    prediction: Floats
    probability: Floats
    label: Floats
    weight: Ints


class CustomMetric(Protocol):
    """The methods of a metric's class, which must be callable without arguments.

    Its attributes may be numbers, texts, bytes, ``None``, lists and dictionaries of these, and
    NumPy arrays of numbers. An attribute ``larger_is`` of the class says which direction is good:
    ``better`` or ``worse``.
    """

    def update(self, batch: CustomBatch) -> None:
        """Add rows."""

    def merge(self, other: Any) -> None:
        """Add what another object of the class has seen."""

    def value(self) -> float | None:
        """Return the value; ``None`` where it is undefined."""


class CustomMetricInvalid(DetectorError):
    """A metric ``name`` whose class ``path`` cannot be used: the ``reason``."""

    def __init__(self, name: str, path: str, reason: str) -> None:
        self.name = name
        self.path = path
        self.reason = reason
        super().__init__(f"custom metric {name!r}: {path}: {reason}")


class _State(msgspec.Struct, frozen=True, array_like=True):
    """The encoded state of a metric: its attributes, or why it failed."""

    attributes: bytes
    failure: str = ""


def metric_class(name: str, path: str) -> type[CustomMetric]:
    """Return the class that ``package.module:Class`` names.

    Raises :class:`CustomMetricInvalid` if it cannot be imported, lacks a method, cannot be made
    without arguments, or has attributes that cannot be stored.
    """
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise CustomMetricInvalid(name, path, "it must be named as package.module:Class")
    try:
        found = getattr(import_module(module), attribute)
    except AttributeError as error:
        raise CustomMetricInvalid(name, path, f"{module} has no {attribute}") from error
    except (Exception, SystemExit) as error:  # a foreign module may raise anything at import
        raise CustomMetricInvalid(name, path, f"it cannot be imported: {error!r}") from error
    if not isinstance(found, type):
        raise CustomMetricInvalid(name, path, "it is not a class")
    missing = [method for method in METHODS if not callable(getattr(found, method, None))]
    if missing:
        raise CustomMetricInvalid(name, path, f"it has no method {' and no '.join(missing)}")
    _try(name, path, found)
    return found


def _try(name: str, path: str, found: type[CustomMetric]) -> None:
    try:
        encode_attributes(vars(found()))
    except AttributesInvalid as error:
        raise CustomMetricInvalid(name, path, f"its state cannot be stored: {error}") from error
    except (Exception, SystemExit) as error:
        reason = f"{found.__name__}() raised {error!r}"
        raise CustomMetricInvalid(name, path, reason) from error


class CustomMetrics:
    """The custom metrics of a model, by name."""

    def __init__(self, classes: Mapping[str, type[CustomMetric]]) -> None:
        self._classes = dict(sorted(classes.items()))

    def tallied(
        self, counts: list[QualityCounts], rows: LabelledRows, group: Ints
    ) -> list[QualityCounts]:
        """Add the states of all metrics to the counts of each group that has rows."""
        if not self._classes or not len(group):
            return counts
        order = np.argsort(group, kind="stable")
        present, starts = np.unique(group[order], return_index=True)
        parts = np.split(order, starts[1:])
        for number, places in zip(present.tolist(), parts, strict=True):
            batch = _batch(rows, places)
            for name, cls in self._classes.items():
                counts[number].custom[name] = _updated(cls, batch)
        return counts

    def merged(self, total: QualityCounts, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Add to ``total`` the merged states of some parts, in an order that they do not decide.

        Metrics that are no longer configured are dropped.
        """
        for name, cls in self._classes.items():
            states = sorted(part.custom[name] for part in parts if name in part.custom)
            if states:
                total.custom[name] = states[0] if len(states) == 1 else _merged(cls, states)
        return total

    def metrics(self, states: Mapping[str, bytes], n: int) -> Iterator[Metric]:
        """Return the values; undefined with a reason where there is none or it failed."""
        for name, cls in self._classes.items():
            yield _metric(name, cls, states.get(name), n)


def _batch(rows: LabelledRows, places: Ints) -> CustomBatch:
    """Return copies of some rows that no metric can change for the others."""
    batch = CustomBatch(
        rows.prediction[places], rows.probability[places], rows.label[places], rows.weight[places]
    )
    for column in batch:
        column.setflags(write=False)
    return batch


def _updated(cls: type[CustomMetric], batch: CustomBatch) -> bytes:
    try:
        metric = cls()
        metric.update(batch)
        return _stored(metric)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # foreign code may raise anything
        return _failed("update", error)


def _merged(cls: type[CustomMetric], states: Sequence[bytes]) -> bytes:
    known = [_decoded(state) for state in states]
    failures = sorted({state.failure for state in known if state.failure})
    if failures:
        return msgspec.msgpack.encode(_State(b"", failures[0]))
    try:
        total = _restored(cls, known[0])
        for state in known[1:]:
            total.merge(_restored(cls, state))
        return _stored(total)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # foreign code may raise anything
        return _failed("merge", error)


def _metric(name: str, cls: type[CustomMetric], state: bytes | None, n: int) -> Metric:
    direction = str(getattr(cls, "larger_is", "neither"))
    if state is None:
        return undefined(name, n, "no labels since the metric was configured", direction)
    known = _decoded(state)
    if known.failure:
        return undefined(name, n, known.failure, direction)
    try:
        value = _restored(cls, known).value()
        number = None if value is None else float(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # foreign code may raise anything
        return undefined(name, n, _reason("value", error), direction)
    if number is None or not isfinite(number):
        said = "None" if number is None else "no finite number"
        return undefined(name, n, f"value() returned {said}", direction)
    return Metric(name, number, None, None, None, n, direction)


def _stored(metric: CustomMetric) -> bytes:
    attributes = encode_attributes(vars(metric))
    if len(attributes) > LARGEST_STATE_BYTES:
        raise AttributesInvalid(f"it has more than {LARGEST_STATE_BYTES:,} bytes")
    return msgspec.msgpack.encode(_State(attributes))


def _restored(cls: type[CustomMetric], state: _State) -> CustomMetric:
    metric = cls()
    vars(metric).clear()
    vars(metric).update(decode_attributes(state.attributes))
    return metric


def _decoded(state: bytes) -> _State:
    return _STATE.decode(state)


def _failed(method: str, error: BaseException) -> bytes:
    return msgspec.msgpack.encode(_State(b"", _reason(method, error)))


def _reason(method: str, error: BaseException) -> str:
    """Return what failed; the text of a foreign error is left out, it may hold values of rows."""
    if isinstance(error, AttributesInvalid):
        return f"the state after {method}() cannot be stored: {error}"
    return f"{method}() raised {type(error).__name__}"


_STATE = msgspec.msgpack.Decoder(_State)
