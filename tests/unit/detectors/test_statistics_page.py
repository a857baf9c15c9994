"""The page about statistics names every component, and its examples run."""

from __future__ import annotations

import doctest
import re

import pytest

from detectors.components import find
from detectors.decisions.rules import Rules
from detectors.statistics.catalogue import deciding_statistics
from detectors.statistics.distances.base import Distance
from tests.support.paths import ROOT

PATH = ROOT / "docs" / "statistics.md"
PAGE = PATH.read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| .* \| (yes|no)[^|]* \|$", PAGE, re.MULTILINE))


def test_every_example_of_the_page_runs() -> None:
    results = doctest.testfile(str(PATH), module_relative=False)
    assert results.attempted >= 5
    assert results.failed == 0


def test_the_table_lists_every_distance_and_whether_it_decides() -> None:
    own = find("detectors.statistics.distances", Distance, "no.such.group")
    assert set(ROWS) == set(own)
    assert {name for name, decides in ROWS.items() if decides == "yes"} == {
        name for name in own if name in deciding_statistics()
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overwhelming_n", f"({Rules().overwhelming_n})"),
        ("overwhelming_alpha", f"({Rules().overwhelming_alpha:.0e}".replace("e-0", "e-")),
        ("vanished_n", f"({Rules().vanished_n:g})"),
    ],
)
def test_defaults_on_the_page_are_those_of_the_rules(name: str, value: str) -> None:
    assert f"`{name}` {value}" in PAGE


def test_files_that_docstrings_refer_to_exist() -> None:
    references = set()
    for path in (ROOT / "detectors").rglob("*.py"):
        references |= set(re.findall(r"``docs/([\w-]+\.md)``", path.read_text()))
    assert "statistics.md" in references
    unwritten = {"sagemaker-compatibility.md"}
    missing = {name for name in references if not (ROOT / "docs" / name).exists()}
    assert missing <= unwritten
