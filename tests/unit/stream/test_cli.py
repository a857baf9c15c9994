"""The commands that need only files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.baselining.build import load_baseline
from stream.cli import main

CONFIG = """\
job: prices
source: {type: kafka, bootstrap_servers: ["127.0.0.1:1"], topic: t, give_up_after: "0s",
  options: {sasl_plain_password: "${PASSWORD}"}}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: BASELINE}}
sinks: [{type: jsonl, path: reports}]
"""


def driftline(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PASSWORD", raising=False)
    (tmp_path / "train.csv").write_text(
        "a,b\n" + "".join(f"{k % 50},{k % 3}\n" for k in range(500))
    )
    (tmp_path / "config.yaml").write_text(CONFIG.replace("BASELINE", "base"))
    assert driftline("baseline", tmp_path / "train.csv", "--out", tmp_path / "base").exit_code == 0
    return tmp_path


def test_the_help_describes_driftline_and_gives_examples() -> None:
    lines = driftline("--help").output.splitlines()
    assert lines[2].strip() == (
        "Streaming drift detection and model monitoring for deployed ML models."
    )
    for command in main.commands:
        text = driftline(command, "--help").output
        assert f"  driftline {command} " in text, "an example"
        assert max(map(len, text.splitlines())) <= 80


def test_a_check_without_the_password_warns_and_names_the_unchecked_values(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = driftline("check", folder / "config.yaml")
    assert result.exit_code == 0
    assert result.stderr == (
        "warning: source.options.sasl_plain_password: environment variable PASSWORD is not set;"
        " driftline run needs it\n"
    )
    assert "model prices: baseline " in result.stdout
    assert ", 2 features\n" in result.stdout
    assert result.stdout.endswith("config.yaml: ok; values that need PASSWORD were not checked\n")
    monkeypatch.setenv("PASSWORD", "secret")
    result = driftline("check", folder / "config.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("config.yaml: ok\n")


@pytest.mark.parametrize("arguments", [("run",), ("check", "--live")])
def test_commands_that_connect_need_the_password(folder: Path, arguments: tuple[str, ...]) -> None:
    path = folder / "config.yaml"
    result = driftline(*arguments, path)
    assert result.exit_code == 2
    assert result.stderr == (
        f"driftline: {path}:3: source.options.sasl_plain_password: environment variable PASSWORD is"
        " not set\n"
    )


def test_a_check_skips_values_that_are_not_set(folder: Path) -> None:
    """The sink refuses a path that is a file, and the baseline must exist: neither can be decided
    by the text of a reference."""
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("path: reports", 'path: "${PASSWORD}"')
    )
    (folder / "${PASSWORD}").write_text("")
    assert driftline("check", config).exit_code == 0
    config.write_text(CONFIG.replace("BASELINE", '"${PASSWORD}"'))
    result = driftline("check", config)
    assert result.exit_code == 2
    assert "models.prices.baseline: environment variable PASSWORD is not set\n" in result.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_all_faults_of_a_configuration_are_reported_in_one_block(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.replace("BASELINE", "nowhere").replace("topic: t", "topic: ''") + "window: 0s\n"
    )
    result = driftline(command, config)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *lines = result.stderr.splitlines()
    assert first == f"driftline: {config}: 3 faults"
    assert [line.partition(": ")[0] for line in lines] == [
        "  line 2  source.topic",
        "  line 6  models.prices.baseline",
        "  line 8  window",
    ]


def test_a_check_warns_of_results_that_are_only_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    config = folder / "config.yaml"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("sinks: [{type: jsonl, path: reports}]", "")
    )
    result = driftline("check", config)
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "warning: sinks: none configured: windows and signals are only logged"
    )
    assert result.stderr.count("\n") == 1


def test_a_check_names_what_cloudwatch_cannot_hold_and_what_it_becomes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    long = "z" * 240
    names = ["größe", *(f"spalte_ä{k}" for k in range(6)), long, "fits"]
    (folder / "train.csv").write_text(
        ",".join(names) + "\n" + "".join(f"{','.join([str(k)] * 9)}\n" for k in range(300))
    )
    driftline("baseline", folder / "train.csv", "--out", folder / "base")
    config = folder / "config.yaml"
    sinks = "[{type: jsonl, path: reports}, {type: cloudwatch, region: us-east-1}]"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("[{type: jsonl, path: reports}]", sinks)
    )
    result = driftline("check", config)
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "warning: sinks[1]: cloudwatch cannot hold these names: 'größe' becomes 'gr__e~"
    )
    assert "; and 3 more; rename them" in result.stderr
    config.write_text(config.read_text() + "variant: {from: const, name: grün}\n")
    assert "these names: 'grün' becomes 'gr_n~" in driftline("check", config).stderr
    assert "fits" not in result.stderr


@pytest.mark.parametrize(
    "namespace", ["aws/sagemaker/Endpoints/data-metrics", "/aws/sagemaker/Endpoints/data-metrics"]
)
def test_a_check_refuses_the_namespace_of_model_monitor_and_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, namespace: str
) -> None:
    monkeypatch.setenv("PASSWORD", "secret")
    config = folder / "config.yaml"
    sinks = f"[{{type: cloudwatch, region: us-east-1, namespace: {namespace}}}]"
    config.write_text(
        CONFIG.replace("BASELINE", "base").replace("[{type: jsonl, path: reports}]", sinks)
    )
    result = driftline("check", config)
    assert result.exit_code == 2
    assert "sinks[0].namespace" in result.stderr
    assert "alarms on Sum would add up all windows of an hour" in result.stderr


def test_explain_needs_no_password(folder: Path) -> None:
    result = driftline("explain", "an-id", "a", "--config", folder / "config.yaml")
    assert result.exit_code == 2
    assert "PASSWORD" not in result.output
    assert "name their folder with --reports" in " ".join(result.stderr.split())
    (folder / "reports").mkdir()
    (folder / "reports" / "reports-2026-11-25.jsonl").write_text("{}\n")
    result = driftline("explain", "an-id", "a", "--config", folder / "config.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("driftline: report 'an-id': not found; searched ")


def test_explain_without_reports_is_a_usage_error() -> None:
    result = driftline("explain", "an-id", "a")
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "Give --config, or --reports with the folder of the reports." in result.stderr


def test_captures_are_refused_as_training_data(folder: Path) -> None:
    capture = {
        "captureData": {"endpointInput": {"data": "1", "encoding": "CSV"}},
        "eventMetadata": {"eventId": "e"},
    }
    (folder / "captures.jsonl").write_text(json.dumps(capture))
    result = driftline("baseline", folder / "captures.jsonl", "--out", folder / "new")
    assert result.exit_code == 2
    assert (
        "Give the training table itself, or write `baseline: learn` in the configuration"
        in result.stderr
    )
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "option", "message"),
    [
        (("--exclude", "zz"), "--exclude", "no column 'zz'; columns: 'a', 'b'"),
        (("--predictions", "zz"), "--predictions", "no column 'zz'; columns: 'a', 'b'"),
        (("--text", "zz"), "--text", "no column 'zz'; columns: 'a', 'b'"),
        (("--number", "zz"), "--number", "no column 'zz'; columns: 'a', 'b'"),
        (("--number", "a", "--text", "a"), "--number", "columns both text and numbers: 'a'"),
        (("--exclude", '"a'), "--exclude", "is given in double quotes"),
        (("--out", "train.csv/new"), "--out", "cannot write to"),
    ],
)
def test_options_that_do_not_fit_the_data_are_usage_errors(
    folder: Path,
    arguments: tuple[str, ...],
    option: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    result = driftline("baseline", "train.csv", "--out", "new", *arguments)
    assert result.exit_code == 2
    text = " ".join(result.stderr.split())
    assert f"Invalid value for '{option}': " in text
    assert message in text


def test_edited_constraints_are_only_replaced_with_force(folder: Path) -> None:
    path = folder / "base" / "constraints.json"
    content = json.loads(path.read_text())
    content["features"][0]["completeness"] = 0.25
    path.write_text(json.dumps(content))
    arguments = ("baseline", folder / "train.csv", "--out", folder / "base")
    result = driftline(*arguments)
    assert result.exit_code == 2
    text = " ".join(result.stderr.split())
    assert "constraints.json was edited: choose another folder, or discard the edits" in text
    assert json.loads(path.read_text()) == content
    assert driftline(*arguments, "--force").exit_code == 0
    assert json.loads(path.read_text()) != content


def test_a_baseline_reports_rows_and_features_and_no_progress_without_a_terminal(
    folder: Path,
) -> None:
    result = driftline("baseline", folder / "train.csv", "--out", folder / "new")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *rows, blank, note, last = result.stdout.splitlines()
    assert heading.split() == ["column", "type", "fits", "missing", "distinct", "values"]
    assert [row.split()[0] for row in rows] == ["a", "b"]
    assert note.startswith("note: rows of 'a' depend on their neighbours"), "it counts to 49"
    assert (blank, last.partition(", fingerprint ")[0]) == ("", "500 rows, 2 features")
    (folder / "constant.csv").write_text("a\n" + "1\n" * 20_000)
    result = driftline("baseline", folder / "constant.csv", "--out", folder / "new")
    assert "\n20,000 rows, 1 feature, fingerprint " in result.stdout


def test_names_with_commas_and_blanks_can_be_given_to_every_option(folder: Path) -> None:
    lines = ['a, b ,"c,d",e e,,zip', *(f"{k},{k % 7},x,NONE,{k},0{k % 5}" for k in range(60))]
    (folder / "names.csv").write_text("\n".join(lines))
    out = folder / "new"
    arguments = ("--predictions", "b", "--exclude", "a", "--exclude", '"c,d"', "--text", "zip")
    result = driftline(
        "baseline", folder / "names.csv", "--out", out, *arguments, "--missing", "NONE,x"
    )
    assert result.exit_code == 0, result.output
    made = load_baseline(out)
    assert made.columns == ("b", "e e", "zip")
    assert [feature.role for feature in made.layout.features] == ["prediction", *["feature"] * 2]
    assert [feature.type for feature in made.layout.features] == ["Integral", "Unknown", "String"]
    assert "warning: blanks around names in the header were left out" in result.stderr
    assert "warning: column 5 without a name: left out" in result.stderr
    assert "warning: 'e e': no value in the training data" in result.stderr
    wrong = driftline("baseline", folder / "names.csv", "--out", out, "--exclude", "c,d")
    assert wrong.exit_code == 2
    assert "'c', 'd'" in wrong.stderr
    assert "is given in double quotes" in " ".join(wrong.stderr.split())


def test_a_wide_table_fits_the_terminal_and_shows_columns_with_a_warning_first(
    folder: Path,
) -> None:
    names = [f"a_rather_long_name_of_column_{k}" for k in range(499)]
    cells = ",".join(str(k % 2) for k in range(499))
    rows = [f"{cells},{k}" for k in range(60)]
    (folder / "wide.csv").write_text("\n".join([",".join([*names, "id"]), *rows]))
    result = driftline("baseline", folder / "wide.csv", "--out", folder / "new")
    assert result.exit_code == 0
    table = result.stdout.split("\n\n")[0].splitlines()
    assert len(table) == 1 + 40 + 1
    assert all(len(line) <= 80 for line in table)
    assert table[-2].startswith("id ")
    assert table[-1] == "and 460 more columns, which are in statistics.json"


def test_the_help_of_run_lists_logs_and_exit_codes() -> None:
    text = driftline("run", "--help").output
    assert "--log [auto|json|console]" in text
    assert "NO_COLOR" in text
    assert "  9  stopped with undelivered items" in text


@pytest.mark.programs
@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["check", "config.yaml"]])
def test_a_full_disk_below_the_output_is_told_without_a_traceback(
    folder: Path, arguments: list[str]
) -> None:
    command = [sys.executable, "-m", "stream.cli", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == "driftline: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_escapes_in_a_configuration_never_reach_the_terminal(folder: Path) -> None:
    evil = '"so\\e[31murce\\x9b": 1\n'
    (folder / "config.yaml").write_text(CONFIG + evil)
    result = driftline("check", folder / "config.yaml")
    assert result.exit_code == 2
    assert r"so\x1b[31murce\x9b: unknown key" in result.stderr
    assert not set("\x1b\x9b") & set(result.output)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('state: {path: "a\\0b"}', "state.path"),
        ('dead_letters: {path: "\\0"}', "dead_letters.path"),
        ('sinks: [{type: jsonl, path: "re\\0ports"}]', "sinks[0].path"),
        ('models: {prices: {baseline: "ba\\0se"}}', "models.prices.baseline"),
        ('models: {"pr\\0ices": {baseline: base}}', "models"),
    ],
)
def test_a_text_with_the_character_nul_is_a_fault(folder: Path, text: str, path: str) -> None:
    key = text.partition(":")[0]
    lines = CONFIG.replace("BASELINE", "base").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{key}:")]
    (folder / "config.yaml").write_text("".join(kept) + text + "\n")
    result = driftline("check", folder / "config.yaml")
    assert result.exit_code == 2, result.output
    assert f"{path}: holds the character NUL" in result.stderr


def test_the_content_of_a_secret_file_is_in_no_finding_of_a_live_check(folder: Path) -> None:
    """A client repeats the settings that it does not accept."""
    (folder / "secret").write_text("hush-hush-1234\n")
    changed = CONFIG.replace("BASELINE", "base").replace(
        'sasl_plain_password: "${PASSWORD}"', 'ssl_cafile: "${file:secret}", security_protocol: SSL'
    )
    (folder / "config.yaml").write_text(changed.replace("topic: t,", "topic: t, client: fast,"))
    result = driftline("check", folder / "config.yaml", "--live")
    assert result.exit_code == 2
    assert "hush-hush-1234" not in result.output
    assert "${file:secret}" in result.output
