"""The configuration of error detectors: river's names, and what fits a problem."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, get_args

import msgspec
import pytest

from detectors.quality.error_detectors import AnyErrorDetector, ErrorDetector, error_detector_faults

KINDS: dict[str, type[ErrorDetector]] = {kind().type: kind for kind in get_args(AnyErrorDetector)}
OWN_DEFAULTS = {("adwin", "clock"), ("adwin", "delta"), ("kswin", "seed")}
SCALED = ("adwin", "hddm_a", "hddm_w")


def faults(problem: Any, *detectors: Mapping[str, object]) -> list[str]:
    configured = msgspec.convert(list(detectors), list[AnyErrorDetector])
    return [str(fault) for fault in error_detector_faults(configured, problem)]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_parameters_are_those_of_river_with_its_defaults(name: str) -> None:
    import river.drift.binary

    detector = KINDS[name]()
    arguments = inspect.signature(attrgetter(detector.river_class)(river)).parameters
    assert detector.parameters().keys() == arguments.keys() - {"window"}
    for parameter, value in detector.parameters().items():
        if (name, parameter) not in OWN_DEFAULTS:
            assert value == arguments[parameter].default, parameter


@pytest.mark.parametrize("problem", ["binary", "multiclass"])
def test_classes_take_every_detector_and_no_unit(problem: str) -> None:
    assert faults(problem, *({"type": name} for name in KINDS)) == []
    assert faults(problem, {"type": "adwin", "unit": 2}) == [
        "[0].unit: is for regression; errors of classes are 0 and 1"
    ]


@pytest.mark.parametrize("name", SCALED)
def test_regression_needs_a_unit_where_a_bound_assumes_errors_from_0_to_1(name: str) -> None:
    assert faults("regression", {"type": name})[0].startswith("[0].unit: is missing")
    assert faults("regression", {"type": name, "unit": 3.5}) == []


@pytest.mark.parametrize("name", ["ddm", "eddm"])
def test_regression_refuses_detectors_of_errors_of_0_and_1(name: str) -> None:
    assert faults("regression", {"type": "kswin"}, {"type": name})[0].startswith("[1].type: ")


def test_parameters_that_exclude_each_other_are_faults() -> None:
    assert faults("binary", {"type": "eddm", "alpha": 0.8}) == ["[0].alpha: is below beta, 0.9"]
    assert faults("binary", {"type": "kswin", "stat_size": 51}) == [
        "[0].stat_size: is above half of window_size, 50"
    ]
    assert faults("binary", {"type": "ddm"}, {"type": "ddm"}) == [
        "[1]: the same detector is there twice"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "adwin", "delta": 0.0},
        {"type": "adwin", "clock": 0},
        {"type": "ddm", "unit": 1.0},
        {"type": "kswin", "seed": None},
        {"type": "page_hinkley", "mode": "sideways"},
        {"type": "stepd"},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, AnyErrorDetector)
