"""References in a configuration: secret files, and variables that only a run requires."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stream.config.environment import MAX_FILE_BYTES, Environment
from stream.config.load import load
from stream.errors import ConfigError

CONFIG = """\
job: prices
source: {type: kafka, bootstrap_servers: ["127.0.0.1:9092"], topic: t,
  options: {sasl_plain_password: "${PASSWORD}"}}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: [area]}}
"""
WITHOUT_PASSWORD = CONFIG.replace('"${PASSWORD}"', "x").replace(
    "options: {", "options: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, "
)
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/data")
    monkeypatch.setenv("EMPTY", "")
    for name in ("PASSWORD", "WINDOW", "OTHER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def resolve(data: Any, folder: Path = Path()) -> Any:
    environment = Environment()
    resolved = environment.resolve(data, folder)
    assert environment.faults == []
    return resolved


def error_of(file: Path, text: str, environment: Environment | None = None) -> ConfigError:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environment)
    return caught.value


def test_references_are_replaced_in_every_text() -> None:
    data = {"a": "${WHERE}/x", "b": [1, {"c": "${WHERE}${WHERE}"}], "d": "$WHERE ${}", "e": True}
    assert resolve(data) == {
        "a": "/data/x",
        "b": [1, {"c": "/data/data"}],
        "d": "$WHERE ${}",
        "e": True,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${PASSWORD:-default}", "default"),
        ("${WHERE:-default}", "/data"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("a${PASSWORD:-}b", "ab"),
        ("${PASSWORD:-http://h:1/?a=b c}", "http://h:1/?a=b c"),
        ("${file:-x}", "x"),
    ],
)
def test_a_default_replaces_a_variable_that_is_not_set_or_empty(text: str, value: str) -> None:
    assert resolve(text) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [("s\n", "s"), ("s", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), ("a\nb\n", "a\nb"), ("", "")],
)
def test_a_file_reference_becomes_its_content_without_the_last_newline(
    tmp_path: Path, content: str, value: str
) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    assert resolve(f"${{file:{tmp_path / 'secret'}}}") == value
    assert resolve("<${file:secret}>", tmp_path) == f"<{value}>", "relative to the configuration"


def test_the_content_of_a_file_is_not_resolved_again(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("${WHERE}")
    assert resolve("${file:secret}", tmp_path) == "${WHERE}"


def test_a_variable_that_is_not_set_is_a_fault_with_its_path_and_name() -> None:
    environment = Environment()
    environment.resolve({"b": ["${WHERE}", {"c": "${PASSWORD}${OTHER}"}], "d": "${OTHER}"}, Path())
    assert [str(fault) for fault in environment.faults] == [
        "b[1].c: environment variables PASSWORD, OTHER are not set",
        "d: environment variable OTHER is not set",
    ]


def test_variables_that_are_not_needed_keep_their_text_and_are_listed() -> None:
    environment = Environment(needed=False)
    data = {"a": "x${PASSWORD}", "b": ["${PASSWORD}", "${WHERE}"]}
    assert environment.resolve(data, Path()) == {"a": "x${PASSWORD}", "b": ["${PASSWORD}", "/data"]}
    assert environment.unset == {"a": ["PASSWORD"], "b[0]": ["PASSWORD"]}
    assert environment.names == ["PASSWORD"]
    assert environment.faults == []


def test_a_configuration_can_be_checked_but_not_run_without_its_password(file: Path) -> None:
    error = error_of(file, CONFIG)
    assert str(error) == (
        f"{file}:3: source.options.sasl_plain_password: environment variable PASSWORD is not set"
    )
    environment = Environment(needed=False)
    assert load(file, environment).job == "prices"
    assert environment.unset == {"source.options.sasl_plain_password": ["PASSWORD"]}


def test_a_variable_with_a_default_counts_as_set(file: Path) -> None:
    file.write_text(CONFIG.replace("${PASSWORD}", "${PASSWORD:-}") + "window: ${WINDOW:-5m}\n")
    environment = Environment(needed=False)
    assert load(file, environment).window == "5m"
    assert environment.unset == {}


def test_a_value_that_cannot_be_read_without_a_variable_names_the_variable(file: Path) -> None:
    error = error_of(file, CONFIG + "window: ${WINDOW}\n", Environment(needed=False))
    assert str(error) == f"{file}:7: window: environment variable WINDOW is not set"
    error = error_of(file, CONFIG + "window: sixty\n", Environment(needed=False))
    assert "window: expected a number and a unit" in str(error)


def test_unset_variables_and_other_faults_are_reported_at_once(file: Path) -> None:
    error = error_of(file, CONFIG + "window: ${WINDOW}\nevery: 7s\nrules: {k: 4}\n")
    assert [(fault.line, fault.path) for fault in error.faults] == [
        (3, "source.options.sasl_plain_password"),
        (7, "window"),
    ], "the window is no duration, so that keys cannot be compared yet"
    error = error_of(file, CONFIG + "rules: {k: 4}\nsinks: [{type: jsonl, path: ''}]\n")
    assert [(fault.line, fault.path) for fault in error.faults] == [
        (3, "source.options.sasl_plain_password"),
        (7, "rules.k"),
        (8, "sinks[0].path"),
    ]


@pytest.mark.parametrize("needed", [True, False])
def test_a_file_that_cannot_be_read_is_a_fault_with_path_and_line(file: Path, needed: bool) -> None:
    (file.parent / "bytes").write_bytes(b"\xff")
    text = CONFIG.replace("${PASSWORD}", "${file:none}").replace("topic: t", "topic: '${file:.}'")
    error = error_of(file, text + "window: ${file:bytes}\n", Environment(needed))
    faults = {fault.path: (fault.line, fault.reason) for fault in error.faults}
    assert faults["source.options.sasl_plain_password"] == (
        3,
        "cannot read ${file:none}: No such file or directory",
    )
    assert faults["source.topic"] == (2, "cannot read ${file:.}: Is a directory")
    assert faults["window"] == (
        7,
        "cannot read ${file:bytes}: not a file of UTF-8 text of at most 1 MiB",
    )


@pytest.mark.parametrize("kind", ["pipe", "large"])
def test_a_file_that_cannot_hold_a_secret_is_not_read(file: Path, kind: str) -> None:
    """Reading the pipe would wait for a writer."""
    secret = file.parent / "secret"
    if kind == "pipe":
        os.mkfifo(secret)
    else:
        secret.write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    error = error_of(file, CONFIG.replace("${PASSWORD}", "${file:secret}"))
    assert "cannot read ${file:secret}: not a file of UTF-8 text of at most 1 MiB" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "window: ${file:secret}\n",
        "window: 5${file:secret}s\n",
        "rules: {k: '${file:secret}'}\n",
        "rules: {statistic: '${file:secret}'}\n",
        "on_gap: ${file:secret}\n",
        "sinks: [{type: '${file:secret}'}]\n",
        "sinks: [{type: sns, topic_arn: '${file:secret}'}]\n",
        "sinks: [{type: sns, topic_arn: 'arn:${file:secret}'}]\n",
        "sinks: [{type: cloudwatch, endpoint_url: 'http//${file:secret}'}]\n",
        "variant: {from: file, name: '(${file:secret}'}\n",
        "state: {path: '${file:secret}'}\ndead_letters: {path: .}\n",
        "sinks: [{type: jsonl, path: '${file:secret}'}, {type: jsonl, path: '${file:secret}'}]\n",
    ],
)
@pytest.mark.parametrize("secret", [SECRET, SECRET * 10, 'it\'s \\ a\n"secret"', "x7"])
def test_the_content_of_a_file_appears_in_no_message(file: Path, text: str, secret: str) -> None:
    (file.parent / "secret").write_text(secret + "\n")
    error = error_of(file, WITHOUT_PASSWORD + text)
    for message in (str(error), repr(error.faults)):
        for part in (secret, repr(secret)[1:-1], secret[:20], "x7" if secret == "x7" else secret):
            assert part not in message
    assert "'x'" not in str(error)
