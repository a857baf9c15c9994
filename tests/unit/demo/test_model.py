"""The model of the demo on data with a known law."""

import numpy as np
import pyarrow as pa
import pytest

from demo.flights import FEATURES, Flights
from demo.model import NUMBERS, fit


def flights(n: int = 4000) -> Flights:
    """label = 2 dep_delay + 10 for carrier A; everything else is noise or constant."""
    rng = np.random.default_rng(7)
    columns: dict[str, pa.Array] = {name: pa.array(rng.normal(size=n)) for name in NUMBERS}
    carrier = rng.choice(["A", "B"], n)
    columns |= {"carrier": pa.array(carrier), "origin": pa.array(["X"] * n)}
    delay = rng.integers(-10, 60, n)
    columns["dep_delay"] = pa.array(delay)
    label = 2.0 * delay + 10.0 * (carrier == "A")
    zeros = np.zeros(n, np.int64)
    return Flights(pa.table({name: columns[name] for name in FEATURES}), label, zeros, zeros)


def changed(known: Flights, name: str, column: pa.Array) -> Flights:
    table = known.features.set_column(known.features.column_names.index(name), name, column)
    return Flights(table, known.label, known.time_ms, known.air_ms)


def test_a_linear_law_is_recovered() -> None:
    known = flights()
    assert fit(known).rmse(known) < 0.1


def test_numbers_in_text_are_parsed() -> None:
    known = flights()
    text = pa.array([f"{value}.0" for value in known.features["dep_delay"].to_pylist()])
    assert (
        fit(known).predict(changed(known, "dep_delay", text).features).tolist()
        == fit(known).predict(known.features).tolist()
    )


def test_a_missing_number_counts_as_the_training_mean() -> None:
    known = flights()
    mean = float(np.mean(known.features["dep_delay"].to_numpy()))
    missing = changed(known, "dep_delay", pa.nulls(len(known), pa.int64()))
    mean_filled = changed(known, "dep_delay", pa.array([mean] * len(known)))
    assert fit(known).predict(missing.features) == pytest.approx(
        fit(known).predict(mean_filled.features), abs=0.11
    )


def test_the_prediction_for_an_unknown_carrier_is_between_the_known_ones() -> None:
    known = flights()
    model = fit(flights())
    predictions = {
        carrier: model.predict(
            changed(known, "carrier", pa.array([carrier] * len(known))).features
        ).mean()
        for carrier in ("A", "B", "unknown")
    }
    assert predictions["A"] - predictions["B"] == pytest.approx(10.0, abs=0.2)
    assert predictions["B"] < predictions["unknown"] < predictions["A"]


def test_the_error_without_flights_is_nan() -> None:
    known = flights()
    assert np.isnan(fit(known).rmse(known.slice(0, 0)))
