"""The retrain job: subscribed to the signal, it decides whether to train again, and hands over
model and baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from demo.flights import Flights
from demo.model import Model, fit
from demo.traffic import START_MS, WINDOW_MS, Traffic
from detectors.report import Signal

LEAST_GAIN = 0.1
"""A new model must be better than the old one by this share of its error."""


@dataclass(frozen=True)
class Retrained:
    """A model fitted on ``flights``, and both models' errors on the newest quarter of them, which
    the trial fit did not see.
    """

    model: Model
    flights: Flights
    error_old: float
    error_new: float

    @property
    def better(self) -> bool:
        """Whether the new model may take over."""
        return self.error_new < (1.0 - LEAST_GAIN) * self.error_old


def wanted(signal: Signal) -> bool:
    """Whether this signal is a reason to train again: a *reminder*, which comes when the cool-down
    has passed in silence.

    Most incidents are repaired by somebody and call for no new model: training on a broken field
    teaches the fault. So ``opened`` and ``worsened`` go to people. What outlives the cool-down is
    taken for the new state of the world.
    """
    return signal.kind == "reminder"


def retrain(signal: Signal, traffic: Traffic, until_ms: int) -> Retrained:
    """Fit on the events from the first window that lies wholly in the episode up to ``until_ms`` of
    the replay.

    The first window that violated may have begun before the change, so it is left out. Labels are
    joined by the order of the replay, where a real job would join by ``inferenceId`` and wait until
    the flights have landed.
    """
    since_ms = signal.first_violation_ms - START_MS + WINDOW_MS
    flights = joined([one.flights for one in traffic.between(since_ms, until_ms)])
    cut = len(flights) * 3 // 4
    old, rest = flights.slice(0, cut), flights.slice(cut, len(flights))
    trial = fit(old)
    return Retrained(fit(flights), flights, traffic.model.rmse(rest), trial.rmse(rest))


def joined(parts: list[Flights]) -> Flights:
    """Flights one behind the other; their columns must have the same types."""
    table = pa.concat_tables([one.features for one in parts]).combine_chunks()
    return Flights(
        table,
        np.concatenate([one.label for one in parts]),
        np.concatenate([one.time_ms for one in parts]),
    )
