"""What the README, the Makefile and the continuous integration say of each other is so."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main
from stream.config.load import parse
from stream.formats.base import DecodingPlan, Schema
from tests.support.paths import ROOT
from tests.support.records import raw_batch

README = (ROOT / "README.md").read_text()
SHOWN = README + (ROOT / "docs" / "state-in-s3.md").read_text()
CONFIGURATIONS = re.findall(r"```yaml\n(.*?)```", SHOWN, re.DOTALL)
TRAINING = "prediction,carrier,distance\n" + "".join(
    f"{k % 7},{'UA' if k % 3 else 'DL'},{100 + k}\n" for k in range(300)
)


def helped() -> set[str]:
    """The targets that ``make`` without an argument explains."""
    told = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(re.findall(r"^make ([a-z-]+)", told, re.MULTILINE))


def test_there_are_configurations_to_be_checked() -> None:
    assert CONFIGURATIONS


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=lambda text: text.splitlines()[0])
def test_a_configuration_of_the_readme_passes_the_check(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"\$\{(\w+)\}", text):
        monkeypatch.setenv(name, "a-value")
    (tmp_path / "train.csv").write_text(TRAINING)
    (tmp_path / "config.yaml").write_text(text)
    out = str(tmp_path / "baseline")
    made = CliRunner().invoke(
        main, ["baseline", str(tmp_path / "train.csv"), "--out", out, "--predictions", "prediction"]
    )
    assert made.exit_code == 0, made.output
    done = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output


def shown(key: str) -> str:
    """The one configuration of the README that has this line."""
    (text,) = [
        text
        for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
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
def test_the_event_that_the_readme_shows_can_be_read_with_its_configuration(
    job: str, columns: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "a-value")
    config = parse(yaml.safe_load(shown(f"job: {job}")), tmp_path)
    lines = [
        line
        for line in re.findall(r"```json\n(.*)\n```", README)
        if ("captureData" in line) == (job == "delays")
    ]
    schema = Schema(columns[:1], columns[1:], dict.fromkeys(columns, "text"))
    decoder = config.format.open(config.origin, DecodingPlan((schema,), {job: 0}))
    decoded = decoder.decode([raw_batch([lines[0].encode()])])
    assert (len(lines), decoded.rejects, len(decoded.batches)) == (1, [], 1)
    assert decoded.time_ms.tolist() == [1_795_590_000_000]


def test_every_driftline_command_of_the_readme_exists() -> None:
    shown = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    named = set(re.findall(r"^driftline ([a-z]+)", shown, re.MULTILINE)) | set(
        re.findall(r"`driftline ([a-z]+)", README)
    )
    assert named
    assert named <= set(main.commands)


def test_every_make_target_of_the_readme_exists() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= helped()


def test_make_explains_every_target_that_a_person_calls() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert helped() == set(phony[1].split())


def test_continuous_integration_runs_the_test_command_of_the_readme_last() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "make test"
    assert re.search(r"^make test\b", README, re.MULTILINE)


def test_every_link_into_the_project_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
