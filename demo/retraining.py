"""The retrain job: subscribes to signals, decides whether to retrain, compares two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from demo.flights import Flights
from demo.model import Model, fit
from demo.traffic import START_MS, WINDOW_MS, Traffic
from detectors.report import Signal

MIN_GAIN = 0.1
"""A new model must lower the error of the old one by this share."""


@dataclass(frozen=True)
class Retrained:
    """A new model, and the errors of the old one and of it on ``held_out`` flights.

    It was fitted on ``fitted`` flights. ``served`` are all flights since the change, also those
    without a label: the baseline of the data needs none.
    """

    model: Model
    fitted: int
    held_out: Flights
    served: Flights
    error_old: float
    error_new: float

    @property
    def better(self) -> bool:
        """Whether the new model may replace the old one."""
        return self.error_new < (1.0 - MIN_GAIN) * self.error_old


def is_needed_after(signal: Signal) -> bool:
    """Whether a signal is a reason to retrain: only a ``reminder``, sent after the cool-down.

    Most incidents are repaired and need no new model: a model trained on a broken field would learn
    the fault. ``opened`` and ``worsened`` are therefore for people. A change that persists beyond
    the cool-down counts as the new state of the world.
    """
    return signal.kind == "reminder"


def retrain(signal: Signal, traffic: Traffic, until_ms: int) -> Retrained:
    """Fit a model on the events from the first window wholly inside the episode up to ``until_ms``
    whose labels are known by then.

    The first window with a violation may have started before the change, so it is left out. The
    labels of long flights come last, so the newest flights with a label are mostly short ones. The
    oldest quarter, whose labels are nearly complete, is therefore held out: its error is that of
    all flights.
    """
    since_ms = signal.first_violation_ms - START_MS + WINDOW_MS
    served = joined([part.flights for part in traffic.between(since_ms, until_ms)])
    labelled = joined(traffic.labelled(since_ms, until_ms))
    cut = len(labelled) // 4
    held_out, fitted = labelled.slice(0, cut), labelled.slice(cut, len(labelled))
    model = fit(fitted)
    errors = traffic.model.rmse(held_out), model.rmse(held_out)
    return Retrained(model, len(fitted), held_out, served, *errors)


def joined(parts: list[Flights]) -> Flights:
    """Concatenate flights; their columns must have the same types."""
    table = pa.concat_tables([part.features for part in parts]).combine_chunks()
    return Flights(
        table,
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.time_ms for part in parts]),
        np.concatenate([part.air_ms for part in parts]),
    )
