"""The monitored model: a ridge regression that predicts the arrival delay at push-back."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from demo.flights import FEATURES, Flights
from detectors.arrays import Floats

TEXTS = ("carrier", "origin")
NUMBERS = tuple(name for name in FEATURES if name not in TEXTS)
PENALTY = 1.0


class Model(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A fitted ridge regression: ``label = offset + one_hot(texts) @ w + (numbers - mean) / scale @
    w``.

    ``levels`` holds the known values of each text column; an unknown value adds nothing. A missing
    number counts as the training mean.
    """

    levels: dict[str, pa.Array]
    mean: Floats
    scale: Floats
    weights: Floats
    offset: float

    def predict(self, features: pa.Table) -> Floats:
        """Predicted arrival delay of each row in minutes, rounded to a tenth."""
        design = _design(features, self.levels, self.mean, self.scale)
        predicted: Floats = np.round(design @ self.weights + self.offset, 1)
        return predicted

    def rmse(self, flights: Flights) -> float:
        """Root of the mean squared error in minutes; NaN without flights."""
        return rmse(self.predict(flights.features), flights.label)


def rmse(predicted: Floats, actual: Floats) -> float:
    """``sqrt(mean((predicted - actual)^2))``; NaN without rows.

    >>> rmse(np.array([1.0, 5.0]), np.array([1.0, 1.0])) == 8 ** 0.5
    True
    """
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else float("nan")


def fit(flights: Flights) -> Model:
    """Fit the ridge regression of the label on the features; the offset is not penalised."""
    numbers = _numbers(flights.features)
    mean = np.nan_to_num(np.nanmean(numbers, axis=0))
    scale = np.nanstd(numbers, axis=0)
    scale[~(scale > 0)] = 1.0
    levels = {
        name: pc.unique(flights.features[name].combine_chunks().drop_null()) for name in TEXTS
    }
    design = _design(flights.features, levels, mean, scale)
    center = design.mean(axis=0)
    offset = float(flights.label.mean())
    inner = design - center
    gram = inner.T @ inner + PENALTY * np.eye(inner.shape[1])
    weights: Floats = np.linalg.solve(gram, inner.T @ (flights.label - offset))
    return Model(
        levels=levels,
        mean=mean,
        scale=scale,
        weights=weights,
        offset=offset - float(center @ weights),
    )


def _design(features: pa.Table, levels: dict[str, pa.Array], mean: Floats, scale: Floats) -> Floats:
    numbers = _numbers(features)
    standard = np.where(np.isnan(numbers), 0.0, (numbers - mean) / scale)
    hot = [_one_hot(features[name], known) for name, known in levels.items()]
    return np.hstack([*hot, standard])


def _one_hot(column: pa.ChunkedArray, known: pa.Array) -> Floats:
    at = pc.fill_null(pc.index_in(column, value_set=known), -1).to_numpy()
    hot: Floats = (at[:, None] == np.arange(len(known))).astype(np.float64)
    return hot


def _numbers(features: pa.Table) -> Floats:
    """The numeric columns as a matrix; missing is NaN, and numbers in text are parsed."""
    return np.column_stack(
        [pc.cast(features[name], pa.float64()).to_numpy().astype(np.float64) for name in NUMBERS]
    )
