"""Faults of conditions in a configuration: their place, and the nearest name."""

from __future__ import annotations

import pytest

from stream.config.conditions import column_faults, syntax_faults
from stream.testing.baselines import baseline, texts

BASELINES = {
    "prices": baseline({"area": [1.0, 2.0] * 500, "city": texts({"x": 500, "y": 500})}),
    "delays": baseline({"carrier": texts({"x": 500, "y": 500}), "area": [1.0, 2.0] * 500}),
}
COLUMNS = {name: tuple(base.layout.index) for name, base in BASELINES.items()}


def of_columns(text: str) -> list[str]:
    return [str(fault) for fault in column_faults([text], COLUMNS, BASELINES)]


def test_every_condition_that_cannot_be_read_is_a_fault_of_its_own() -> None:
    faults = list(syntax_faults(["rows > 1", "rows >", "oulier_share(area) > 0.05"]))
    assert [fault.path for fault in faults] == ["rules.conditions[1]", "rules.conditions[2]"]
    assert "in 'rows >'" in faults[0].reason
    wanted = "unknown name `oulier_share` at character 1; did you mean 'outlier_share'?"
    assert faults[1].reason.startswith(wanted)
    assert {"outlier_share", "mean", "rows", "share"} <= set(faults[1].valid)


def test_a_column_that_no_model_has_is_a_fault_with_the_nearest_one() -> None:
    reason = "unknown column 'aera'; did you mean 'area'? valid: area, city, carrier"
    assert of_columns("mean(aera) > 1") == [f"rules.conditions[0]: {reason}"]
    assert of_columns("missing(city) > missing(carrier)") == [
        "rules.conditions[0]: no model has all of the columns 'city', 'carrier'"
    ]


@pytest.mark.parametrize("name", ["mean", "ks", "outlier_share", "baseline_std", "max"])
def test_a_number_that_text_never_has_is_a_fault(name: str) -> None:
    assert of_columns(f"{name}(city) > 1") == [
        f"rules.conditions[0]: {name}(city) is not defined: 'city' is a column of text"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "mean(area) > 1 and missing(city) > 2",
        "psi(carrier) > 1",
        "l_infinity(city) > 0.1",
        "rows > 1",
        "rows >",
    ],
)
def test_a_condition_that_a_model_can_meet_has_no_fault(text: str) -> None:
    assert of_columns(text) == []
