"""``constraints.json``: every key is obeyed or refused, and all faults are told at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from detectors.errors import DetectorError
from detectors.profiles.baseline import Constraint, Constraints
from stream.baselining.build import BuiltBaseline, load_baseline, make, write
from stream.baselining.constraints_file import read_constraints
from stream.baselining.constraints_shape import unread_keys
from stream.errors import ConfigError

Edit = Callable[[dict[str, Any]], object]

ROWS = 1_000


def built() -> BuiltBaseline:
    """A code of three numbers, a number of many values, a word, and a column without a value."""
    columns = {
        "code": [str(k % 3 + 1) for k in range(ROWS)],
        "size": [repr(k / 7) for k in range(ROWS)],
        "word": ["xyz"[k % 3] for k in range(ROWS)],
        "promo": [None] * ROWS,
    }
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return make(lambda: [pa.table(arrays)])


BUILT = built()


def read(edit: Edit) -> Constraints:
    data = json.loads(json.dumps(BUILT.constraints))
    edit(data)
    return read_constraints(data, BUILT.baseline.layout, BUILT.baseline.columns)


def faults(edit: Edit) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read(edit)
    return {fault.path: fault.reason for fault in caught.value.faults}


def fault(edit: Edit) -> tuple[str, str]:
    (only,) = faults(edit).items()
    return only


def feature(column: str, **change: object) -> Edit:
    position = list(BUILT.baseline.columns).index(column)
    return lambda data: data["features"][position].update(change)


def monitoring(**change: object) -> Edit:
    return lambda data: data["monitoring_config"].update(change)


def drift(**change: object) -> Edit:
    return lambda data: data["monitoring_config"]["distribution_constraints"].update(change)


def both(*edits: Edit) -> Edit:
    return lambda data: [edit(data) for edit in edits]


def test_the_written_file_has_no_fault_and_requires_nothing_new() -> None:
    constraints = read(lambda _: None)
    assert constraints == BUILT.baseline.constraints
    assert constraints.features["word"].domains == ("x", "y", "z")
    encoded = msgspec.msgpack.encode(constraints.features["code"])
    assert msgspec.msgpack.decode(encoded).keys() == {
        "completeness",
        "non_negative",
        "domains",
        "evaluate",
    }, "the stored form of constraints without an edited type stays that of 0.1.0"


@pytest.mark.parametrize(
    ("edit", "path", "near"),
    [
        (feature("code", completness=0.5), "features[0].completness", "completeness"),
        (feature("code", infered_type="String"), "features[0].infered_type", "inferred_type"),
        (
            feature("word", string_constraints={"domain": ["x"]}),
            "features[2].string_constraints.domain",
            "domains",
        ),
        (
            feature("code", num_constraints={"is_nonnegative": True}),
            "features[0].num_constraints.is_nonnegative",
            "is_non_negative",
        ),
        (
            feature("code", monitoringConfigOverride={}),
            "features[0].monitoringConfigOverride",
            "monitoringConfigOverrides",
        ),
        (
            monitoring(data_type_check_threshold=0.5),
            "monitoring_config.data_type_check_threshold",
            "datatype_check_threshold",
        ),
        (
            drift(comparison_treshold=0.5),
            "monitoring_config.distribution_constraints.comparison_treshold",
            "comparison_threshold",
        ),
        (lambda data: data.update(monitoring_confg={}), "monitoring_confg", "monitoring_config"),
    ],
)
def test_a_misspelt_key_is_a_fault_with_the_nearest_name(edit: Edit, path: str, near: str) -> None:
    where, reason = fault(edit)
    assert where == path
    assert f"did you mean '{near}'?" in reason


NEWER = both(
    lambda data: data.update(schema_revision=3),
    monitoring(sampling={"share": 0.5}),
    drift(numerical_drift_method="Wasserstein", numerical_comparison_threshold=0.2),
    *(feature(name, monotonicity="Rising") for name in ("code", "size", "word", "promo")),
    feature("code", num_constraints={"is_non_negative": True, "largest_value": 9}),
)


def test_unknown_keys_of_a_newer_file_are_not_read_and_named(tmp_path: Path) -> None:
    assert read(NEWER) == read(lambda _: None), "they require nothing"
    write(BUILT, tmp_path)
    path = tmp_path / "constraints.json"
    assert unread_keys(path) == []
    data = json.loads(path.read_text())
    NEWER(data)
    path.write_text(json.dumps(data))
    assert sorted(unread_keys(path)) == [
        "features[].monotonicity (4 times)",
        "features[].num_constraints.largest_value",
        "monitoring_config.distribution_constraints.numerical_comparison_threshold",
        "monitoring_config.distribution_constraints.numerical_drift_method",
        "monitoring_config.sampling",
        "schema_revision",
    ]
    for content in ("", "[]", "{", '{"features": 3}'):
        path.write_text(content)
        assert unread_keys(path) == [], "the fault of such a file is told by what loads it"


@pytest.mark.parametrize("key", ["feature_list", "columns"])
def test_a_file_without_features_is_refused_whatever_else_it_has(key: str) -> None:
    assert faults(lambda data: data.update({key: data.pop("features")}))


@pytest.mark.parametrize("value", ["Enable", "enabled", "on", "Disable", "yes"])
def test_a_switch_is_enabled_or_disabled_and_nothing_else(value: str) -> None:
    for key in ("evaluate_constraints", "emit_metrics"):
        path, reason = fault(monitoring(**{key: value}))
        assert path == f"monitoring_config.{key}"
        assert f"unknown value '{value}'" in reason
        assert "Enabled" in reason
    assert fault(drift(perform_comparison=value))[0].endswith("perform_comparison")
    override = {"evaluate_constraints": value}
    assert fault(feature("code", monitoringConfigOverrides=override))[1].endswith(
        "(feature 'code')"
    )


@pytest.mark.parametrize(("value", "on"), [("Enabled", True), ("Disabled", False), (False, False)])
def test_switches_are_obeyed(value: object, on: bool) -> None:
    assert read(monitoring(evaluate_constraints=value)).thresholds.evaluate_constraints is on
    assert read(drift(perform_comparison=value)).thresholds.perform_comparison is on

    def older(data: dict[str, Any]) -> None:
        data["monitoring_config"]["distribution_constraints"] = {
            "enable_comparisons": value,
            "min_domain_mass": 1.0,
            "comparison_threshold": 1.0,
        }

    assert read(older).thresholds.perform_comparison is on


@pytest.mark.parametrize("place", ["", "num_constraints", "string_constraints"])
@pytest.mark.parametrize("key", ["monitoringConfigOverrides", "monitoring_config_overrides"])
@pytest.mark.parametrize("switch", ["evaluate_constraints", "evaluateConstraints"])
def test_an_override_is_obeyed_in_every_place_and_spelling(
    place: str, key: str, switch: str
) -> None:
    override: dict[str, object] = {key: {switch: "Disabled", "emit_metrics": "Enabled"}}
    edit = feature("code", **({place: override} if place else override))
    evaluated = {name: one.evaluate for name, one in read(edit).features.items()}
    assert evaluated == {"code": False, "size": True, "word": True, "promo": True}


def test_switches_that_contradict_each_other_are_a_fault() -> None:
    overrides = {
        "monitoringConfigOverrides": {"evaluate_constraints": "Enabled"},
        "string_constraints": {
            "monitoring_config_overrides": {"evaluate_constraints": "Disabled"},
            "domains": ["x"],
        },
    }
    assert "contradicts" in fault(feature("word", **overrides))[1]
    assert "contradicts" in fault(drift(enable_comparisons=False))[1]


@pytest.mark.parametrize(
    ("edit", "key", "remedy"),
    [
        (drift(min_domain_mass=0.9), "min_domain_mass", "domain_content_threshold"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_with_what_to_write(
    edit: Edit, key: str, remedy: str
) -> None:
    path, reason = fault(edit)
    assert path.endswith(f".{key}")
    assert "cannot be obeyed" in reason
    assert remedy in reason


@pytest.mark.parametrize("method", ["Simple", "linf_simple"])
def test_the_methods_of_comparison_are_taken_over(method: str) -> None:
    assert read(drift(comparison_method=method)).thresholds.comparison_method == "Simple"
    chi = drift(categorical_drift_method="ChiSquared")
    assert read(chi).thresholds.categorical_drift_method == "ChiSquared"


def test_written_defaults_keep_the_bytes_of_constraints_without_them() -> None:
    def without(data: dict[str, Any]) -> None:
        del data["monitoring_config"]["emit_metrics"]
        for key in ("comparison_method", "categorical_drift_method"):
            del data["monitoring_config"]["distribution_constraints"][key]

    defaults = both(
        monitoring(emit_metrics=True),
        drift(comparison_method="linf_robust", categorical_drift_method="LInfinity"),
        feature("code", monitoringConfigOverrides={"emit_metrics": "Enabled"}),
    )
    assert msgspec.msgpack.encode(read(defaults)) == msgspec.msgpack.encode(read(without))
    encoded = msgspec.msgpack.encode(read(without).thresholds)
    assert not msgspec.msgpack.decode(encoded).keys() & {
        "comparison_method",
        "categorical_drift_method",
        "emit_metrics",
    }


@pytest.mark.parametrize("place", ["", "num_constraints", "string_constraints"])
@pytest.mark.parametrize("key", ["emit_metrics", "emitMetrics"])
def test_metrics_are_switched_off_for_a_feature_or_for_all(place: str, key: str) -> None:
    override: dict[str, object] = {"monitoring_config_overrides": {key: "Disabled"}}
    one = read(feature("size", **({place: override} if place else override)))
    assert [one.emits(name) for name in ("code", "size", "word")] == [True, False, True]
    none = read(monitoring(emit_metrics="Disabled"))
    assert not any(none.emits(name) for name in none.features)
    both_ways = {"monitoringConfigOverrides": {"emit_metrics": True, "emitMetrics": False}}
    assert "contradicts" in fault(feature("size", **both_ways))[1]


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (feature("code", completeness=1.01), "completeness"),
        (feature("code", completeness="most"), "completeness"),
        (feature("code", completeness=float("nan")), "completeness"),
        (feature("word", string_constraints={"domains": "x"}), "domains"),
        (feature("word", string_constraints={"domains": []}), "domains"),
        (monitoring(datatype_check_threshold=99), "datatype_check_threshold"),
        (drift(comparison_threshold=-0.1), "comparison_threshold"),
        (drift(comparison_method="robust"), "comparison_method"),
        (drift(categorical_drift_method="Chi2"), "categorical_drift_method"),
        (feature("code", inferred_type="integer"), "inferred_type"),
    ],
)
def test_a_value_of_another_kind_is_a_fault_at_its_path(edit: Edit, key: str) -> None:
    path, reason = fault(edit)
    assert path.endswith(key)
    assert reason.startswith(("expected", "unknown value"))


def test_a_number_may_be_declared_the_other_kind_of_number_and_nothing_else() -> None:
    assert read(feature("code", inferred_type="Fractional")).features["code"].type == "Fractional"
    assert read(feature("size", inferred_type="Integral")).features["size"].type == "Integral"
    for name, declared, option in (
        ("code", "String", "--text code"),
        ("size", "String", "--text size"),
        ("word", "Integral", "--number word"),
        ("word", "Fractional", "--number word"),
    ):
        path, reason = fault(feature(name, inferred_type=declared))
        assert path.endswith("inferred_type")
        assert f'"{declared}", but the baseline counted' in reason
        assert f"make it anew from training data with {option}" in reason
    assert fault(feature("code", inferred_type="Unknown"))[1].startswith('"Unknown", but')
    assert "the training data have no value" in fault(feature("promo", inferred_type="String"))[1]


def test_a_domain_of_numbers_is_checked_where_each_has_a_bin_of_its_own() -> None:
    domain = read(feature("code", string_constraints={"domains": [1, "2"]})).features["code"]
    assert domain.domains == ("1", "2")
    for name, values, cause in (
        ("code", ["1", "7"], "value [1] has no bin of its own"),
        ("code", ["01", "2"], "value [0] has leading zeros"),
        ("code", ["one"], "value [0] is not a number"),
        ("size", ["1.0"], "value [0] has no bin of its own"),
    ):
        path, reason = fault(feature(name, string_constraints={"domains": values}))
        assert path.endswith("string_constraints.domains")
        assert cause in reason
        assert f"make it anew from training data with --text {name}" in reason


def test_a_domain_may_be_wider_than_the_baseline_within_reason() -> None:
    wider = ["x", "y", "z", "new", True]
    domains = read(feature("word", string_constraints={"domains": wider})).features["word"].domains
    assert domains == ("x", "y", "z", "new", "true")
    many = [f"new {k}" for k in range(60)]
    assert "make it anew" in fault(feature("word", string_constraints={"domains": many}))[1]
    assert "is_non_negative" in fault(feature("word", num_constraints={"is_non_negative": True}))[0]


def test_a_feature_without_an_entry_or_with_two_is_a_fault() -> None:
    path, reason = fault(lambda data: data["features"].pop(0))
    assert path == "features"
    assert reason.startswith("no entry for 'code'")
    assert '"evaluate_constraints": "Disabled"' in reason
    twice = fault(lambda data: data["features"].append(data["features"][0]))
    assert twice == ("features[4].name", "'code' has an entry already: features[0]")
    assert "did you mean 'code'?" in fault(feature("code", name="codes"))[1]


def test_observations_and_nulls_require_nothing() -> None:
    observed = {"approximate_num_distinct_values": 3, "num_constraints": None, "completeness": None}
    assert read(feature("code", **observed)).features["code"] == Constraint()


def test_all_faults_are_told_in_one_run() -> None:
    edit = both(
        feature("code", completness=1.0, inferred_type="String"),
        monitoring(evaluate_constraints="Enable", emit_metrics="Off"),
        drift(comparison_method="simple", categorical_comparison_treshold=0.3),
        lambda data: data["features"].pop(1),
    )
    assert {path.rpartition(".")[2] for path in faults(edit)} == {
        "completness",
        "inferred_type",
        "evaluate_constraints",
        "emit_metrics",
        "comparison_method",
        "categorical_comparison_treshold",
        "features",
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"features": ' + '{"a":' * 50_000 + "1" + "}" * 50_001, "nested too deeply"),
        ('{"features": {"a": {}}}', "expected a list, found a mapping"),
        ("[]", "expected a mapping, found a list"),
        ('{"features": [], "features": []}', "the key 'features' twice"),
        ("", "not JSON"),
    ],
)
def test_a_file_that_holds_no_constraints_is_refused_with_its_path(
    tmp_path: Path, content: str, reason: str
) -> None:
    write(BUILT, tmp_path)
    path = tmp_path / "constraints.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_baseline(tmp_path)
    assert caught.value.file == str(path)
    assert reason in str(caught.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_baseline(tmp_path)


def test_a_byte_order_mark_before_the_constraints_is_no_fault(tmp_path: Path) -> None:
    write(BUILT, tmp_path)
    path = tmp_path / "constraints.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_baseline(tmp_path).constraints == BUILT.baseline.constraints


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    float("nan"),
    10**400,
    "",
    "Disabled",
    [],
    {},
    [None],
    [[]],
    {"": 1},
    "Integral",
    "a" * 5_000,
    [1.5, "x", False],
]


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    if not isinstance(data, dict | list):
        return [path]
    keys = data if isinstance(data, dict) else range(len(data))
    inner = [place for key in keys for place in places(data[key], (*path, key))]
    return [path, *inner] if path else inner


def value_at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def test_whatever_stands_at_a_place_is_obeyed_or_a_fault() -> None:
    outcomes = {"obeyed": 0, "refused": 0}
    for path in places(BUILT.constraints):
        for junk in JUNK:
            data = json.loads(json.dumps(BUILT.constraints))
            value_at(data, path[:-1])[path[-1]] = junk
            try:
                read_constraints(data, BUILT.baseline.layout, BUILT.baseline.columns)
                outcomes["obeyed"] += 1
            except ConfigError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 50, outcomes


def test_half_of_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    write(BUILT, tmp_path)
    path = tmp_path / "constraints.json"
    path.write_text(path.read_text().replace('"x"', '"\\ud800"'))
    with pytest.raises(ConfigError, match="not JSON"):
        load_baseline(tmp_path)


def test_a_damaged_baseline_is_told_and_no_traceback(tmp_path: Path) -> None:
    write(BUILT, tmp_path)
    path = tmp_path / "baseline.msgpack"
    content = path.read_bytes()
    random = Random(7)
    for _ in range(500):
        damaged = bytearray(content)
        damaged[random.randrange(400)] = random.randrange(128, 256)
        path.write_bytes(damaged)
        if damaged != content:
            with pytest.raises(DetectorError):
                load_baseline(tmp_path)
