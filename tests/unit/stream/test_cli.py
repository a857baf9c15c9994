"""The command line, as far as it needs nothing but files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli import main

CONFIG = """\
job: prices
source: {type: kafka, bootstrap_servers: ["127.0.0.1:1"], topic: t, give_up_after: "0s", options: {sasl_plain_password: "${PASSWORD}"}}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: BASELINE}}
sinks: [{type: jsonl, path: reports}]
"""


def driftline(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PASSWORD", raising=False)
    (tmp_path / "train.csv").write_text(
        "a,b\n" + "".join(f"{k % 50},{k % 3}\n" for k in range(500))
    )
    (tmp_path / "config.yaml").write_text(CONFIG.replace("BASELINE", "base"))
    assert driftline("baseline", tmp_path / "train.csv", "--out", tmp_path / "base").exit_code == 0
    return tmp_path


def test_a_check_without_the_password_warns_and_says_what_it_could_not_see(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = driftline("check", folder / "config.yaml")
    assert done.exit_code == 0
    said = (
        "warning: source.options.sasl_plain_password: the environment variable PASSWORD is not set;"
        " driftline run needs it\n"
    )
    assert done.stderr == said
    assert done.stdout.endswith("config.yaml: ok, as far as can be said without PASSWORD\n")
    monkeypatch.setenv("PASSWORD", "secret")
    done = driftline("check", folder / "config.yaml")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith("config.yaml: ok\n")


@pytest.mark.parametrize("words", [("run",), ("check", "--live")])
def test_who_talks_to_the_source_needs_the_password(folder: Path, words: tuple[str, ...]) -> None:
    done = driftline(*words, folder / "config.yaml")
    assert done.exit_code == 2
    assert (
        done.stderr
        == "driftline: source.options.sasl_plain_password: expected the environment variable"
        " PASSWORD to be set\n"
    )


def test_a_check_does_not_look_into_what_it_has_not(folder: Path) -> None:
    """The sink asks that its path is no file, the baseline must be there: neither can be said of a
    variable's text."""
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("path: reports", 'path: "${PASSWORD}"')
    )
    (folder / "${PASSWORD}").write_text("")
    assert driftline("check", config).exit_code == 0
    config.write_text(CONFIG.replace("BASELINE", '"${PASSWORD}"'))
    done = driftline("check", config)
    assert done.exit_code == 2
    assert (
        "models.prices.baseline: expected the environment variable PASSWORD to be set\n"
        in done.stderr
    )


def test_a_check_warns_of_results_that_only_the_log_has(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("sinks: [{type: jsonl, path: reports}]", "")
    )
    done = driftline("check", config)
    assert done.exit_code == 0
    assert done.stderr.startswith(
        "warning: sinks: there are none: windows and signals are told in the log only"
    )
    assert done.stderr.count("\n") == 1


def test_explain_needs_no_password(folder: Path) -> None:
    done = driftline("explain", "some-id", "a", "--config", folder / "config.yaml")
    assert "PASSWORD" not in done.output
    assert "--reports: expected the folder with the reports" in done.stderr
    (folder / "reports").mkdir()
    (folder / "reports" / "reports-2026-11-25.jsonl").write_text("{}\n")
    assert (
        "REPORT-ID: expected the id of a report in"
        in driftline("explain", "some-id", "a", "--config", folder / "config.yaml").stderr
    )


def test_captures_make_no_baseline(folder: Path) -> None:
    capture = {
        "captureData": {"endpointInput": {"data": "1", "encoding": "CSV"}},
        "eventMetadata": {"eventId": "e"},
    }
    (folder / "captures.jsonl").write_text(json.dumps(capture))
    done = driftline("baseline", folder / "captures.jsonl", "--out", folder / "new")
    assert done.exit_code == 2
    assert (
        "Give the training table itself, or write `baseline: learn` in the configuration"
        in done.stderr
    )
    assert not (folder / "new").exists()


def test_a_baseline_says_nothing_on_stderr_where_nobody_looks(folder: Path) -> None:
    done = driftline("baseline", folder / "train.csv", "--out", folder / "new")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("500 rows, 2 features, fingerprint ")


def test_the_help_of_run_tells_logs_and_exit_codes() -> None:
    text = driftline("run", "--help").output
    assert "--log [auto|json|console]" in text
    assert "NO_COLOR" in text
    assert "  9  ended, but a sink still lacks items" in text
    assert max(map(len, text.splitlines())) <= 80
