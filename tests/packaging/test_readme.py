"""README, Makefile and continuous integration agree with each other and with the code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main
from stream.config.load import parse
from stream.formats.base import ColumnType, DecodingPlan, Schema
from stream.testing.records import raw_batch
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text()
PAGES = README + DEPLOYMENT + (ROOT / "docs" / "state-in-s3.md").read_text()
QUICKSTART = README.partition("## Quickstart")[2].partition("## ")[0]
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGES, re.DOTALL)
CONFIGURATIONS = [text for text in BLOCKS if re.search("^job:", text, re.MULTILINE)]
"""The whole configurations; other blocks show the keys of one section."""
TRAINING = "prediction,carrier,distance\n" + "".join(
    f"{k % 7},{'UA' if k % 3 else 'DL'},{100 + k}\n" for k in range(300)
)


def listed_targets() -> set[str]:
    """The targets that ``make`` without an argument lists."""
    output = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(re.findall(r"^make ([a-z-]+)", output, re.MULTILINE))


def test_the_readme_has_configurations() -> None:
    assert CONFIGURATIONS


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=lambda text: text.splitlines()[0])
def test_every_configuration_of_the_readme_passes_driftline_check(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"\$\{(\w+)\}", text):
        monkeypatch.setenv(name, "a-value")
    (tmp_path / "train.csv").write_text(TRAINING)
    (tmp_path / "config.yaml").write_text(text)
    out = str(tmp_path / "baseline")
    learned = CliRunner().invoke(
        main, ["baseline", str(tmp_path / "train.csv"), "--out", out, "--predictions", "prediction"]
    )
    assert learned.exit_code == 0, learned.output
    result = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert result.exit_code == 0, result.output


def shown(key: str) -> str:
    """The configuration of the README and the page on deployment that has this line; fails unless
    there is exactly one.
    """
    (text,) = [
        text
        for text in re.findall(r"```yaml\n(.*?)```", README + DEPLOYMENT, re.DOTALL)
        if re.search(f"^{key}$", text, re.MULTILINE)
    ]
    return str(text)


@pytest.mark.parametrize(
    ("job", "columns"),
    [
        ("delays", ("prediction", "carrier", "distance", "hour")),
        ("prices", ("price", "area", "rooms", "city")),
    ],
)
def test_the_example_events_decode_with_the_configuration_of_the_readme(
    job: str, columns: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "a-value")
    config = parse(yaml.safe_load(shown(f"job: {job}")), tmp_path)
    lines = [
        line
        for line in re.findall(r"```json\n(.*)\n```", README + DEPLOYMENT)
        if ("captureData" in line) == (job == "delays")
    ]
    schema = Schema(columns[:1], columns[1:], dict.fromkeys(columns, ColumnType("text")))
    decoder = config.format.open(config.identity, DecodingPlan((schema,), {job: 0}))
    decoded = decoder.decode([raw_batch([lines[0].encode()])])
    assert (len(lines), decoded.rejects, len(decoded.batches)) == (1, [], 1)
    assert decoded.time_ms.tolist() == [1_795_590_000_000]


def test_the_quickstart_runs_and_its_signal_is_the_one_described(tmp_path: Path) -> None:
    """All its commands but those that make the environment, in a shell that stops at an error."""
    (block,) = re.findall(r"```sh\n(.*?)```", QUICKSTART, re.DOTALL)
    commands = [line for line in block.splitlines() if "venv" not in line and "pip" not in line]
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "docs").symlink_to(ROOT / "docs")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=tmp_path / "clone",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all recomputed values match" in done.stdout
    quickstart = tmp_path / "driftline-quickstart"
    (line,) = (quickstart / "reports" / "signals.jsonl").read_text().splitlines()
    signal = json.loads(line)
    assert (signal["start_ms"], signal["action"]) == (1_795_590_060_000, "repair_pipeline")
    reasons = signal["reasons"]
    failed = {(reason["feature"], reason["check"]): reason["value"] for reason in reasons}
    drifted = [feature for feature, check in failed if check == "baseline_drift_check"]
    assert sorted(drifted) == ["area", "price", "rooms"]
    assert len(failed) == len(drifted) + 1
    assert round(1 - failed["rooms", "completeness_check"], 2) == 0.19
    (file,) = (quickstart / "reports").glob("reports-*.jsonl")
    window = json.loads(file.read_text().splitlines()[2])
    (area,) = (feature for feature in window["features"] if feature["name"] == "area")
    assert round(area["distances"]["psi"], 4) == 0.5999, "as in docs/decisions.md"
    assert round(area["evidence"]["findings"][0]["effect"], 2) == 0.27, "as in docs/decisions.md"


def test_the_picture_of_the_quickstart_shows_its_numbers() -> None:
    picture = (ROOT / "docs" / "explain.svg").read_text().replace("&#160;", " ")
    assert "distribution 0.269439, limit 0.02" in picture
    assert "all recomputed values match" in picture


def test_every_driftline_command_of_the_readme_exists() -> None:
    commands = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    named = set(re.findall(r"^driftline ([a-z]+)", commands, re.MULTILINE)) | set(
        re.findall(r"`driftline ([a-z]+)", README)
    )
    assert named
    assert named <= set(main.commands)


def test_every_make_target_of_the_readme_exists() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= listed_targets()


def test_make_lists_every_phony_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert listed_targets() == set(phony[1].split())


def test_continuous_integration_ends_with_the_test_command_of_the_readme() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert re.search(r"^make test\b", README, re.MULTILINE)


def test_every_link_into_the_project_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
