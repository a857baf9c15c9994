"""The configuration: accepted values, and the text of each fault."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detectors.components import find
from detectors.durations import duration_ms
from sinks.base import Sink
from stream.baselining.build import make_from_files, write
from stream.baselining.configured import baselines_check, configured_baselines
from stream.config.load import load
from stream.config.model import Config
from stream.errors import ConfigError, ConfigFault

BASE = """\
job: flights
source: {type: jsonl, path: captures}
format: {type: sagemaker}
model: {from: const, name: delay}
models:
  delay: {baseline: baseline}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def error_of(file: Path, text: str) -> ConfigError:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value


def fault_of(file: Path, text: str) -> ConfigFault:
    [fault] = error_of(file, text).faults
    return fault


def write_baseline(folder: Path) -> None:
    """Write the baseline of a number ``x`` and a text ``color``."""
    rows = "".join(f"{k}.5,{'rg'[k % 2]}\n" for k in range(50))
    (folder / "train.csv").write_text("x,color\n" + rows)
    write(make_from_files(folder / "train.csv"), folder / "baseline")


def test_relative_paths_are_relative_to_the_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text(
        BASE + "sinks: [{type: jsonl, path: reports}]\nstate: {path: /elsewhere/state}\n"
    )
    config = load(file)
    assert getattr(config.source, "path", None) == str(tmp_path / "captures")
    assert getattr(config.sinks[0], "path", None) == str(tmp_path / "reports")
    assert config.models["delay"].baseline == str(tmp_path / "baseline")
    assert config.dead_letters.path == str(tmp_path / f"dead-letters-{config.job}.jsonl")
    assert config.state.path == "/elsewhere/state"


def test_the_word_learn_is_not_a_path(file: Path) -> None:
    file.write_text(
        BASE.replace("baseline: baseline", "baseline: learn, outputs: [p], inputs: [a]")
    )
    assert load(file).models["delay"].learned


def test_defaults_are_the_documented_ones(file: Path) -> None:
    file.write_text(BASE)
    config = load(file)
    durations = [config.window, config.lateness, config.idle, config.tolerance]
    assert list(map(duration_ms, durations)) == [60_000, 600_000, 10_000, 60_000]
    assert config.every_ms == 60_000
    assert config.variant.name == "AllTraffic"
    assert config.expose_values is False


def test_the_default_grace_is_that_of_the_source(file: Path) -> None:
    file.write_text(BASE)
    assert load(file).grace_ms == 300_000
    file.write_text(
        BASE.replace(
            "{type: jsonl, path: captures}",
            "{type: kafka, bootstrap_servers: ['127.0.0.1:9092'], topic: t}",
        )
    )
    assert load(file).grace_ms == 2_000
    file.write_text(BASE + "grace: 7s\n")
    assert load(file).grace_ms == 7_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("1.5s", 1_500), ("10m", 600_000), ("2h", 7_200_000), ("1d", 86_400_000)],
)
def test_durations_have_units(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


def test_all_faults_of_types_are_reported_at_once_with_their_lines(file: Path) -> None:
    text = """\
http: {port: 0}
format: {type: sagemaker}

souce: {type: jsonl, path: captures}
model: {from: const, name: delay}
models:
  delay: {baseline: baseline}
sinks:
  - {type: jsonl, path: reports}
  - path: x

    type: promtheus
rules:
  of: 3

  k: two
  alpha: 2
"""
    error = error_of(file, text)
    sinks = ", ".join(sorted(find("sinks", Sink, "driftline.sinks")))
    assert error.exit_code == 2
    assert (
        str(error)
        == f"""\
{file}: 5 faults
  line 1   job: required key is missing
  line 4   souce: unknown key; did you mean 'source'?
  line 12  sinks[1].type: unknown type 'promtheus'; did you mean 'prometheus'? valid: {sinks}
  line 16  rules.k: expected a whole number >= 1 and <= 1000000000, found 'two'
  line 17  rules.alpha: expected a number < 1, found 2"""
    )


def test_faults_between_keys_of_components_and_of_baselines_are_reported_at_once(
    file: Path,
) -> None:
    (file.parent / "afile").write_text("")
    text = """\
job: flights
source: {type: kafka, bootstrap_servers: ['h:1'], topic: t, options: {sasl_mechansim: PLAIN}}
format: {type: sagemaker}
model: {from: const, name: delays}
models:
  delay: {baseline: nowhere}
  other:
    baseline: baseline
    features: {colour: {effect: 1}}
window: 60s
every: 7s
sinks:
  - {type: jsonl, path: afile}
rules: {k: 4}
"""
    write_baseline(file.parent)
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, checks=[baselines_check])
    faults = [(fault.line, str(fault).partition(";")[0]) for fault in caught.value.faults]
    assert faults == [
        (2, "source.options.sasl_mechansim: unknown option of the Kafka client"),
        (4, "model.name: unknown model 'delays'"),
        (6, "models.delay.baseline: expected a folder with a baseline, or `learn`"),
        (9, "models.other.features.colour: unknown column 'colour'"),
        (11, "every: expected a duration that divides window (60s) evenly, found 7s"),
        (13, f"sinks[0].path: '{file.parent / 'afile'}' is a file"),
        (14, "rules.k: expected a number from 1 to rules.of (3), found 4"),
    ]
    assert "did you mean 'sasl_mechanism'?" in str(caught.value)


def test_a_single_fault_is_one_line_with_file_and_line_number(file: Path) -> None:
    assert str(error_of(file, BASE + "readers: 0\n")) == (
        f"{file}:7: readers: expected a whole number >= 1, found 0"
    )


def test_an_unknown_key_is_reported_with_the_nearest_and_all_valid_ones(file: Path) -> None:
    fault = fault_of(file, BASE + "windw: 60s\n")
    assert (fault.path, fault.line) == ("windw", 7)
    assert str(fault) == "windw: unknown key; did you mean 'window'?"
    assert "window" in fault.valid
    fault = fault_of(file, BASE + "zzz: 60s\n")
    assert "unknown key; valid: job, source, format" in str(fault)


@pytest.mark.parametrize(
    ("old", "new", "path", "valid"),
    [
        ("type: jsonl", "type: jsnol", "source.type", ("jsonl", "kafka", "kinesis", "s3")),
        ("type: sagemaker", "typ: sagemaker", "format.type", ("json", "sagemaker")),
        ("path: captures", "path: captures, pth: 3", "source.pth", ("type", "path", "follow")),
        (
            "from: const, name: delay",
            "from: cosnt, name: delay",
            "model.from",
            ("const", "file", "header", "key", "path", "topic"),
        ),
        ("name: delay}", "name: other}", "model.name", ("delay",)),
        (
            "baseline: baseline",
            "baseline: b, input: [a]",
            "models.delay.input",
            (
                *("baseline", "outputs", "inputs", "features", "weights", "joint", "segments"),
                *("change_detectors", "learn", "season", "quality"),
            ),
        ),
    ],
)
def test_a_wrong_name_is_reported_with_the_valid_ones(
    file: Path, old: str, new: str, path: str, valid: tuple[str, ...]
) -> None:
    fault = fault_of(file, BASE.replace(old, new))
    assert (fault.path, fault.valid) == (path, valid)


@pytest.mark.parametrize(
    ("name", "problem"),
    [('"de\\x1flay"', "control character U+001F"), ("d" * 300, "300 characters of at most 256")],
)
def test_a_name_that_a_record_could_not_have_is_a_fault(
    file: Path, name: str, problem: str
) -> None:
    text = BASE.replace("name: delay", f"name: {name}").replace("\n  delay:", f"\n  {name}:")
    faults = error_of(file, text).faults
    assert {fault.path for fault in faults} == {"models", "model.name"}
    assert all(problem in fault.reason for fault in faults)


def test_a_required_key_that_is_missing_has_the_line_of_its_parent(file: Path) -> None:
    faults = error_of(file, BASE.replace("baseline: baseline", "outputs: [a]")).faults
    assert [(fault.path, fault.line) for fault in faults] == [("models.delay.baseline", 6)]
    assert faults[0].reason == "required key is missing"


def test_a_misspelt_required_key_is_one_fault(file: Path) -> None:
    fault = fault_of(file, BASE.replace("baseline: baseline", "baselin: b"))
    assert fault.path == "models.delay.baselin"
    assert "did you mean 'baseline'?" in fault.reason


@pytest.mark.parametrize(
    ("line", "path", "expected", "actual"),
    [
        ("window: 60", "window", "a number and a unit", "60"),
        ("window: sixty", "window", "a number and a unit", "'sixty'"),
        ("window: 60s\nevery: 7s", "every", "divides window (60s) evenly", "7s"),
        ("window: 5s\nevery: 60s", "every", "divides window (5s) evenly", "60s"),
        ("window: 0s", "window", "above 0", "0s"),
        ("http: {port: 99999}", "http.port", "<= 65535", "99999"),
        ("rules: {k: 4}", "rules.k", "1 to rules.of (3)", "4"),
        ("rules: {alpha: 1}", "rules.alpha", "a number < 1", "1"),
        ("rules: {alpha: .nan}", "rules.alpha", "a number > 0", "nan"),
        ("rules: {overwhelming_alpha: 1e-9}", "rules.overwhelming_alpha", "a number", "'1e-9'"),
        ("sinks: jsonl", "sinks", "a list", "'jsonl'"),
        ("sinks: [{type: jsonl, path: 3}]", "sinks[0].path", "text", "3"),
        *(
            (
                f"window: 20m\nevery: 10m\nsinks: [{{type: jsonl, path: p, schedule: {schedule}}}]",
                "sinks[0].schedule",
                expected,
                schedule,
            )
            for schedule, expected in (
                ("10m", "at least window (20m)"),
                ("25m", "a multiple of every (10m)"),
                ("400d", "at most 366d"),
            )
        ),
        ("expose_values: 1", "expose_values", "true or false", "1"),
        ("learn: {events: true}", "learn.events", "a whole number", "true"),
        ("readers: null", "readers", "a whole number >= 1", "nothing"),
        (
            "variant: {from: file, name: '('}",
            "variant.name",
            "a regular expression",
            "unterminated",
        ),
        ("variant: {from: file, name: 'abc'}", "variant.name", "with a group", "'abc'"),
        ("variant: {from: path}", "variant.name", "from: path", "nothing"),
        ("window: 1d\nevery: 1ms", "every", "at most 10000 times", "1ms"),
        ("window: 99999999999999999d", "window", "at most 366d", "99999999999999999d"),
        ("lateness: 400d", "lateness", "at most 366d", "400d"),
        (f"window: {'9' * 5_000}s", "window", "at most 20 characters", "5001"),
        (
            f"variant: {{from: file, name: '{'(' * 2_000}a{')' * 2_000}'}}",
            "variant.name",
            "a regular expression",
            "nested too deeply",
        ),
        ("dead_letters: {path: ''}", "dead_letters.path", "the path of a file", "nothing"),
        ("dedupe: {horizon: 0s}", "dedupe.horizon", "above 0", "0s"),
        ("state: {s3: {bucket: ab}}", "state.s3.bucket", "3 or more characters", "2"),
    ],
)
def test_a_wrong_value_is_reported_with_the_expected_one(
    file: Path, line: str, path: str, expected: str, actual: str
) -> None:
    fault = fault_of(file, BASE + line + "\n")
    assert fault.path == path
    assert fault.line == 6 + 1 + line.count("\n")
    assert expected in fault.expected
    assert actual in fault.found
    assert fault.expected in fault.reason
    assert fault.found in fault.reason


def test_an_endpoint_is_one_model(file: Path) -> None:
    sink = "sinks: [{type: s3, bucket: abc, layout: sagemaker, schedule: 1h, endpoint: e}]\n"
    fault = fault_of(file, f"{BASE}  price: {{baseline: baseline}}\n{sink}")
    assert fault.path == "sinks[0].endpoint"
    assert "'e' for 2 models" in fault.reason


@pytest.mark.parametrize(
    ("line", "path", "reason"),
    [
        ("rules: {statistic: gini}", "rules.statistic", "unknown statistic 'gini'; valid: "),
        ("sinks: [{type: jsonl}]", "sinks[0].path", "required key is missing"),
        (
            "sinks: [{type: prometheus}, {type: prometheus}]",
            "sinks[1]",
            "writes to the same place as sinks[0]",
        ),
        (
            "sinks: [{type: jsonl, path: r}, {type: prometheus}, {type: jsonl, path: r/}]",
            "sinks[2]",
            "writes to the same place as sinks[0]",
        ),
        (
            "sinks: [{type: s3, bucket: abc}, {type: s3, bucket: abc, prefix: /}]",
            "sinks[1]",
            "writes to the same place as sinks[0]",
        ),
        (
            "sinks: [{type: s3, bucket: 's3://b/r', layout: driftline}]",
            "sinks[0].bucket",
            "`bucket: b` and `prefix: r/`",
        ),
        (
            "variant: {from: header, name: x}",
            "variant.from",
            "records of this source have no 'header'; valid: const, path, file",
        ),
        ("state: {path: .}", "state.path", "is a folder; expected a file"),
        ("rules: 3", "rules", "expected a mapping, found 3; its keys: mode, k"),
        ("rules: {overwhelming_alpha: 1e-9}", "rules.overwhelming_alpha", "write 1.0e-9"),
        ("format: {type: sagemaker}", "format", "duplicate key; first given on line 3"),
    ],
)
def test_a_wrong_value_is_reported_with_the_reason(
    file: Path, line: str, path: str, reason: str
) -> None:
    fault = fault_of(file, BASE + line + "\n")
    assert (fault.path, fault.line) == (path, 7)
    assert reason in fault.reason


def test_the_line_is_that_of_the_value_inside_lists_and_mappings(file: Path) -> None:
    text = BASE + "sinks:\n- type: prometheus\n\n- type: jsonl\n  path:\n    - a\n"
    assert [(fault.path, fault.line) for fault in error_of(file, text).faults] == [
        ("sinks[1].path", 11)
    ]


def test_faults_inside_a_model_name_the_model_and_the_feature(file: Path) -> None:
    text = BASE.replace("baseline: baseline", "baseline: b, features: {speed: {limit: big}}")
    assert fault_of(file, text).path == "models.delay.features.speed.limit"
    text = BASE.replace(
        "baseline: baseline",
        "baseline: b, change_detectors: [{type: adwim, feature: a, series: mean}]",
    )
    fault = fault_of(file, text)
    assert (fault.path, fault.valid) == (
        "models.delay.change_detectors[0].type",
        ("adwin", "page_hinkley"),
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("baseline: learn", "outputs and inputs are required"),
        ("baseline: learn, outputs: [], inputs: []", "at least one column"),
        ("baseline: learn, outputs: [p], inputs: [a, p]", "column 'p' is named more than once"),
        ("baseline: learn, outputs: [p], inputs: [a, a]", "column 'a' is named more than once"),
    ],
)
def test_a_model_that_is_learned_must_name_its_columns_once(
    file: Path, model: str, reason: str
) -> None:
    fault = fault_of(file, BASE.replace("baseline: baseline", model))
    assert fault.path == "models.delay"
    assert fault.reason.startswith(reason)


@pytest.mark.parametrize(
    ("model", "columns", "path", "unknown"),
    [
        ("features: {colour: {effect: 1}}", "", "models.delay.features.colour", "'colour'"),
        (
            "features: {color: {statistic: wasserstein}}",
            "",
            "models.delay.features.color.statistic",
            "'wasserstein'",
        ),
        (
            "features: {x: {statistic: l_infinity}}",
            "",
            "models.delay.features.x.statistic",
            "'l_infinity'",
        ),
        (
            "change_detectors: [{type: adwin, feature: y}]",
            "",
            "models.delay.change_detectors[0].feature",
            "'y'",
        ),
        (
            "change_detectors: [{type: adwin, feature: x}, {type: adwin, feature: color}]",
            "",
            "models.delay.change_detectors[1].series",
            "'mean'",
        ),
        ("", "columns: {X: a.b}", "format.columns.X", "'X'"),
    ],
)
def test_names_that_do_not_fit_the_baseline_are_reported_by_their_path(
    file: Path, model: str, columns: str, path: str, unknown: str
) -> None:
    write_baseline(file.parent)
    text = BASE.replace("baseline: baseline", f"baseline: baseline, {model}").replace(
        "{type: sagemaker}", f"{{type: sagemaker, {columns}}}"
    )
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        configured_baselines(load(file))
    [fault] = caught.value.faults
    assert (fault.path, fault.found, fault.line) == (path, unknown, 0)
    assert fault.valid
    with pytest.raises(ConfigError) as caught:
        load(file, checks=[baselines_check])
    assert [fault.line for fault in caught.value.faults] == [3 if columns else 6]


def test_a_baseline_with_columns_that_the_model_does_not_name_is_a_fault(file: Path) -> None:
    write_baseline(file.parent)
    file.write_text(BASE.replace("baseline: baseline", "baseline: baseline, inputs: [x]"))
    with pytest.raises(ConfigError, match=r"models\.delay: the baseline's features color are in"):
        configured_baselines(load(file))


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("{s3: {}}", "state.s3.bucket"),
        ("{s3: {bucket: my-bucket, take_over_after: 2s}}", "state.s3.take_over_after"),
        ("{s3: {bucket: my-bucket, take_over_after: 11m}}", "state.s3.take_over_after"),
        ("{s3: {bucket: my-bucket, prefix: a}}", "state.s3.prefix"),
        ("{s3: {bucket: my-bucket, endpoint_url: 'a:1'}}", "state.s3.endpoint_url"),
    ],
)
def test_an_invalid_state_in_s3_is_a_fault(file: Path, state: str, path: str) -> None:
    assert fault_of(file, f"{BASE}state: {state}\n").path == path


@pytest.mark.parametrize("name", ["a/b", "", "two words", "-x", "x" * 101])
def test_the_name_of_a_job_is_a_single_word(file: Path, name: str) -> None:
    assert fault_of(file, BASE.replace("job: flights", f"job: {name!r}")).path == "job"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "state: {commit_at_least: 1s}",
            "state.commit_at_least: renamed; write `commit_interval: 1s`",
        ),
        ("rules: {cooldown_ms: 1800000}", "rules.cooldown_ms: renamed; write `cooldown: 30m`"),
        (
            "sinks: [{type: cloudwatch, schedule: churn-hourly}]",
            "sinks[0].schedule: is now a length, such as 1h; write `schedule_name: churn-hourly`",
        ),
        (
            "sinks: [{type: cloudwatch_quality, every: 1h}]",
            "sinks[0].every: renamed; write `schedule: 1h`",
        ),
        ("rules: {cooldown_ms: soon}", "rules.cooldown_ms: renamed; write `cooldown`"),
        ("rules: {cooldown_ms: .inf}", "rules.cooldown_ms: renamed; write `cooldown`"),
        ("rules: {cooldown_ms: .nan}", "rules.cooldown_ms: renamed; write `cooldown`"),
    ],
)
def test_a_key_of_an_earlier_version_is_reported_with_its_new_name_and_value(
    file: Path, line: str, message: str
) -> None:
    assert str(fault_of(file, BASE + line + "\n")) == message


def test_old_keys_of_models_and_sources_are_reported_with_their_new_names(file: Path) -> None:
    text = BASE.replace("baseline: baseline", "baseline: b, changes: [{type: adwin, feature: a}]")
    assert str(fault_of(file, text)) == "models.delay.changes: renamed; write `change_detectors`"
    text = BASE.replace(
        "{type: jsonl, path: captures}",
        "{type: kafka, bootstrap_servers: ['h:1'], topic: t, give_up_after_s: 30}",
    )
    renamed = "source.give_up_after_s: renamed; write `give_up_after: 30s`"
    assert str(fault_of(file, text)) == renamed


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_of_another_shape_is_a_fault(file: Path, text: str) -> None:
    fault = fault_of(file, text)
    assert (fault.path, fault.line) == ("", 1)
    assert "expected a mapping" in fault.reason


def test_text_that_is_not_yaml_is_a_fault_with_its_line(file: Path) -> None:
    fault = fault_of(file, BASE + "a: [\n")
    assert fault.line == 8
    assert fault.reason.startswith("not YAML: ")


def test_a_file_that_is_not_text_or_does_not_exist_is_a_fault(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read: not a text in UTF-8"):
        load(file)
    with pytest.raises(ConfigError, match="No such file"):
        load(file.with_name("none.yaml"))


def test_variables_are_replaced_and_missing_ones_are_faults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = BASE.replace("path: captures", "path: '${CAPTURES}/today'")
    monkeypatch.delenv("CAPTURES", raising=False)
    fault = fault_of(file, text)
    assert (fault.path, fault.line) == ("source.path", 2)
    assert "CAPTURES" in fault.reason
    monkeypatch.setenv("CAPTURES", "/data")
    assert getattr(load(file).source, "path", None) == "/data/today"


def test_the_schema_requires_the_required_keys() -> None:
    schema = msgspec.json.schema(Config)
    assert set(schema["$defs"]["Config"]["required"]) == {
        "job",
        "source",
        "format",
        "models",
        "model",
    }
