"""Environment variables in a configuration: needed by who runs it, not by who looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.environment import Environment
from stream.config.load import load
from stream.errors import ConfigError

CONFIG = """\
job: prices
source: {type: kafka, bootstrap_servers: ["127.0.0.1:9092"], topic: t, options: {sasl_plain_password: "${PASSWORD}"}}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: [area]}}
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/data")
    for name in ("PASSWORD", "WINDOW"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_values_are_put_in_wherever_text_stands() -> None:
    data = {"a": "${WHERE}/x", "b": [1, {"c": "${WHERE}${WHERE}"}], "d": "$WHERE ${}", "e": True}
    assert Environment().put_in(data) == {
        "a": "/data/x",
        "b": [1, {"c": "/data/data"}],
        "d": "$WHERE ${}",
        "e": True,
    }


def test_a_variable_that_is_not_set_is_a_fault_with_its_path_and_name() -> None:
    with pytest.raises(
        ConfigError, match=r"b\[1\]\.c: expected the environment variable PASSWORD to be set"
    ):
        Environment().put_in({"b": ["${WHERE}", {"c": "${PASSWORD}"}]})


def test_where_it_is_not_needed_its_text_stays_and_it_is_noted() -> None:
    variables = Environment(needed=False)
    assert variables.put_in({"a": "x${PASSWORD}", "b": ["${PASSWORD}", "${WHERE}"]}) == {
        "a": "x${PASSWORD}",
        "b": ["${PASSWORD}", "/data"],
    }
    assert variables.unset == {"a": "PASSWORD", "b[0]": "PASSWORD"}
    assert variables.names == ["PASSWORD"]


def test_a_configuration_can_be_read_without_its_password_but_not_be_run(file: Path) -> None:
    file.write_text(CONFIG)
    with pytest.raises(
        ConfigError,
        match=(
            r"source\.options\.sasl_plain_password: expected the environment variable PASSWORD to"
            r" be set"
        ),
    ):
        load(file)
    variables = Environment(needed=False)
    assert load(file, variables).job == "prices"
    assert variables.unset == {"source.options.sasl_plain_password": "PASSWORD"}


def test_what_cannot_be_read_without_a_variable_names_the_variable(file: Path) -> None:
    file.write_text(CONFIG + "window: ${WINDOW}\n")
    with pytest.raises(
        ConfigError, match="window: expected the environment variable WINDOW to be set$"
    ):
        load(file, Environment(needed=False))
    file.write_text(CONFIG + "window: sixty\n")
    with pytest.raises(ConfigError, match="window: expected a number and a unit"):
        load(file, Environment(needed=False))
