"""The configuration: what is taken, and what each fault says."""

from pathlib import Path

import msgspec
import pytest

from detectors.durations import duration_ms
from stream.baselining.build import make_from_files, write
from stream.baselining.configured import configured_baselines
from stream.config.load import load
from stream.config.model import Config
from stream.errors import ConfigError

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


def fault(file: Path, text: str) -> ConfigError:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value


def test_relative_paths_start_at_the_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text(
        BASE + "sinks: [{type: jsonl, path: reports}]\nstate: {path: /elsewhere/state}\n"
    )
    config = load(file)
    assert getattr(config.source, "path", None) == str(tmp_path / "captures")
    assert getattr(config.sinks[0], "path", None) == str(tmp_path / "reports")
    assert config.models["delay"].baseline == str(tmp_path / "baseline")
    assert config.dead_letters.path == str(tmp_path / "dead-letters.jsonl")
    assert config.state.path == "/elsewhere/state"


def test_the_word_learn_is_no_path(file: Path) -> None:
    file.write_text(
        BASE.replace("baseline: baseline", "baseline: learn, outputs: [p], inputs: [a]")
    )
    assert load(file).models["delay"].learned


def test_defaults_are_the_documented_ones(file: Path) -> None:
    file.write_text(BASE)
    config = load(file)
    durations = [config.window, config.lateness, config.idle, config.tolerance]
    assert [duration_ms(one) for one in durations] == [60_000, 600_000, 10_000, 60_000]
    assert config.every_ms == 60_000
    assert config.variant.name == "AllTraffic"
    assert config.expose_values is False


def test_files_of_a_folder_get_five_minutes_of_grace_and_kafka_two_seconds(file: Path) -> None:
    file.write_text(BASE)
    assert load(file).grace_ms == 300_000
    file.write_text(
        BASE.replace(
            "{type: jsonl, path: captures}",
            "{type: kafka, bootstrap_servers: ['127.0.0.1:9092'], topic: t}",
        )
    )
    assert load(file).grace_ms == 2_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("1.5s", 1_500), ("10m", 600_000), ("2h", 7_200_000), ("1d", 86_400_000)],
)
def test_durations_have_units(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


def test_an_unknown_key_is_told_with_the_valid_ones(file: Path) -> None:
    error = fault(file, BASE + "windw: 60s\n")
    assert error.path == "windw"
    assert "window" in error.valid
    assert "valid: job, source" in str(error)


@pytest.mark.parametrize(
    ("instead", "by", "path", "valid"),
    [
        ("type: jsonl", "type: jsnol", "source.type", ("jsonl", "kafka", "kinesis")),
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
            "baselin: b",
            "models.delay.baselin",
            ("baseline", "outputs", "inputs", "features", "change_detectors"),
        ),
    ],
)
def test_a_wrong_name_is_told_with_the_valid_ones(
    file: Path, instead: str, by: str, path: str, valid: tuple[str, ...]
) -> None:
    error = fault(file, BASE.replace(instead, by))
    assert (error.path, error.valid) == (path, valid)


@pytest.mark.parametrize(
    ("line", "path", "expected", "found"),
    [
        ("window: 60", "window", "a number and a unit", "60"),
        ("window: sixty", "window", "a number and a unit", "'sixty'"),
        ("window: 60s\nevery: 7s", "every", "divides window (60s) evenly", "7s"),
        ("window: 5s\nevery: 60s", "every", "divides window (5s) evenly", "60s"),
        ("window: 0s", "window", "above 0", "0s"),
        ("http: {port: 99999}", "http.port", "<= 65535", "99999"),
        ("rules: {k: 4}", "rules.k", "1 to rules.of (3)", "4"),
        ("rules: {alpha: 1}", "rules.alpha", "a number < 1", "1"),
        ("rules: {statistic: gini}", "rules.statistic", "can decide", "'gini'"),
        ("sinks: jsonl", "sinks", "a list", "'jsonl'"),
        ("sinks: [{type: jsonl}]", "sinks[0].path", "a value", "none"),
        ("sinks: [{type: jsonl, path: 3}]", "sinks[0].path", "text", "3"),
        ("expose_values: 1", "expose_values", "true or false", "1"),
        ("learn: {events: true}", "learn.events", "a whole number", "true"),
        (
            "variant: {from: file, name: '('}",
            "variant.name",
            "a regular expression",
            "unterminated",
        ),
        ("variant: {from: file, name: 'abc'}", "variant.name", "with a group", "'abc'"),
        (
            "variant: {from: header, name: x}",
            "variant.from",
            "records of this source have",
            "'header'",
        ),
        ("variant: {from: path}", "variant.name", "from: path", "nothing"),
        ("window: 1d\nevery: 1ms", "every", "at most 10000 times", "1ms"),
        ("window: 99999999999999999d", "window", "at most 366d", "99999999999999999d"),
        ("lateness: 400d", "lateness", "at most 366d", "400d"),
        (
            "sinks: [{type: prometheus}, {type: prometheus}]",
            "sinks[1]",
            "a place of its own",
            "sinks[0]",
        ),
        (
            "sinks: [{type: jsonl, path: r}, {type: prometheus}, {type: jsonl, path: r/}]",
            "sinks[2]",
            "a place of its own",
            "sinks[0]",
        ),
        ("state: {path: .}", "state.path", "the path of a file", "a folder"),
        ("dead_letters: {path: ''}", "dead_letters.path", "the path of a file", "nothing"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(
    file: Path, line: str, path: str, expected: str, found: str
) -> None:
    error = fault(file, BASE + line + "\n")
    assert error.path == path
    assert expected in error.expected
    assert found in error.found


def test_faults_inside_a_model_name_the_model_and_the_feature(file: Path) -> None:
    text = BASE.replace("baseline: baseline", "baseline: b, features: {speed: {limit: big}}")
    assert fault(file, text).path == "models.delay.features.speed.limit"
    text = BASE.replace(
        "baseline: baseline",
        "baseline: b, change_detectors: [{type: adwim, feature: a, series: mean}]",
    )
    error = fault(file, text)
    assert (error.path, error.valid) == (
        "models.delay.change_detectors[0].type",
        ("adwin", "page_hinkley"),
    )


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("baseline: learn", "outputs and inputs"),
        ("baseline: learn, outputs: [], inputs: []", "at least one column"),
        ("baseline: learn, outputs: [p], inputs: [a, p]", "each column once"),
        ("baseline: learn, outputs: [p], inputs: [a, a]", "each column once"),
    ],
)
def test_a_model_that_is_learned_must_name_its_columns_once(
    file: Path, model: str, expected: str
) -> None:
    error = fault(file, BASE.replace("baseline: baseline", model))
    assert (error.path, error.expected[: len(expected)]) == ("models.delay", expected)


@pytest.mark.parametrize(
    ("model", "form", "path", "found"),
    [
        ("features: {colour: {limit: 1}}", "", "models.delay.features.colour", "'colour'"),
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
def test_names_that_do_not_fit_the_baseline_are_told_by_their_path(
    file: Path, model: str, form: str, path: str, found: str
) -> None:
    (file.parent / "train.csv").write_text(
        "x,color\n" + "".join(f"{k}.5,{'rg'[k % 2]}\n" for k in range(50))
    )
    write(make_from_files(file.parent / "train.csv"), file.parent / "baseline")
    text = BASE.replace("baseline: baseline", f"baseline: baseline, {model}").replace(
        "{type: sagemaker}", f"{{type: sagemaker, {form}}}"
    )
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        configured_baselines(load(file))
    assert (caught.value.path, caught.value.found) == (path, found)
    assert caught.value.valid


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("{s3: {}}", "state.s3.bucket"),
        ("{s3: {bucket: my-bucket, take_over_after: 2s}}", "state.s3.take_over_after"),
        ("{s3: {bucket: my-bucket, take_over_after: 11m}}", "state.s3.take_over_after"),
        ("{s3: {bucket: my-bucket, prefix: a}}", "state.s3.prefix"),
    ],
)
def test_a_state_in_s3_that_cannot_be_is_a_fault(file: Path, state: str, path: str) -> None:
    assert fault(file, f"{BASE}state: {state}\n").path == path


@pytest.mark.parametrize("name", ["a/b", "", "two words", "-x", "x" * 101])
def test_a_job_is_a_plain_word(file: Path, name: str) -> None:
    assert fault(file, BASE.replace("job: flights", f"job: {name!r}")).path == "job"


def test_a_key_given_twice_is_a_fault(file: Path) -> None:
    assert "'job' is given twice" in str(fault(file, BASE + "job: other\n"))


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "just words\n"])
def test_a_file_of_another_shape_is_a_fault(file: Path, text: str) -> None:
    fault(file, text)


def test_a_file_that_is_no_text_or_not_there_is_a_fault(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="readable"):
        load(file)
    with pytest.raises(ConfigError, match="No such file"):
        load(file.with_name("none.yaml"))


def test_variables_of_the_environment_are_put_in_and_missing_ones_told(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = BASE.replace("path: captures", "path: '${CAPTURES}/today'")
    monkeypatch.delenv("CAPTURES", raising=False)
    error = fault(file, text)
    assert (error.path, error.exit_code) == ("source.path", 2)
    assert "CAPTURES" in error.expected
    monkeypatch.setenv("CAPTURES", "/data")
    assert getattr(load(file).source, "path", None) == "/data/today"


def test_the_schema_requires_what_a_file_must_have() -> None:
    schema = msgspec.json.schema(Config)
    assert set(schema["$defs"]["Config"]["required"]) == {
        "job",
        "source",
        "format",
        "models",
        "model",
    }
