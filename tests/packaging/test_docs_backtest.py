"""The commands of docs/backtest.md run on the quickstart's reports, with the page's incidents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.packaging.test_docs_blocks import commands
from tests.packaging.test_docs_model_quality import run, steps
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "backtest.md").read_text()
FILES = {name: text for _, text, name in steps(TEXT) if name}


@pytest.fixture(scope="module")
def printed(
    finished_quickstart: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The folder of a reader who followed the page, and what each command printed."""
    folder = tmp_path_factory.mktemp("backtest") / "job"
    shutil.copytree(finished_quickstart, folder)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    blocks = [text for language, text, _ in steps(TEXT) if language == "sh"]
    return folder, [run(folder, words) for text in blocks for words in commands(text)]


def test_the_rules_of_the_job_find_its_signal_again(printed: tuple[Path, list[str]]) -> None:
    _, (by_own_rules, _) = printed
    assert "4 windows of 1 model" in by_own_rules
    assert "3 with violations, 1 signal" in by_own_rules


def test_each_incident_of_the_page_is_read(printed: tuple[Path, list[str]]) -> None:
    """None of them is in the four minutes of the quickstart, so none can be found."""
    folder, (_, with_incidents) = printed
    incidents = yaml.safe_load(FILES["incidents.yaml"])
    assert len(incidents) == 3
    for incident in incidents:
        (line,) = [line for line in with_incidents.splitlines() if incident["name"] in line]
        assert "not found" in line
    assert "0 of 3 incidents found" in with_incidents
    assert "<svg" in (folder / "backtest.html").read_text()
