"""The worked example of docs/churn-example.md runs as it stands, block by block in one folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packaging.test_docs_blocks import commands
from tests.packaging.test_docs_model_quality import is_in, run, steps
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "churn-example.md").read_text()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str]]]:
    """The folder of a reader who followed the page; lines that it shows, with outputs."""
    folder = tmp_path_factory.mktemp("churn")
    shown: list[tuple[str, str]] = []
    output = ""
    for language, text, name in steps(TEXT):
        if name:
            (folder / name).write_text(text)
        elif language == "sh":
            output = "\n".join(run(folder, words) for words in commands(text))
        else:
            shown += [(line, output) for line in text.splitlines()]
    return folder, shown


def test_the_example_prints_what_the_page_shows(
    followed: tuple[Path, list[tuple[str, str]]],
) -> None:
    _, shown = followed
    assert len(shown) == 5
    assert [line for line, output in shown if not is_in(line, output)] == []


def test_the_line_of_names_is_the_only_dead_letter(
    followed: tuple[Path, list[tuple[str, str]]],
) -> None:
    folder, _ = followed
    letters = (folder / "dead-letters-churn-ours.jsonl").read_text().splitlines()
    assert [json.loads(letter)["reason"] for letter in letters] == ["header_row"] * 7
    assert not (folder / "dead-letters-churn-compat.jsonl").exists()
