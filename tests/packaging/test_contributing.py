"""CONTRIBUTING.md and SECURITY.md name only existing things, and the example component runs."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from detectors.changes.base import Change
from detectors.components import type_of
from tests.packaging.test_readme import listed_targets
from tests.support.paths import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = ["CONTRIBUTING.md", "SECURITY.md"]


def example() -> type[Change]:
    """The component that CONTRIBUTING.md shows."""
    block = re.search(r"^   ```python\n(.*?)^   ```", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert block
    names: dict[str, Any] = {"__name__": "my_package.step"}
    exec(re.sub(r"^   ", "", block[1], flags=re.MULTILINE), names)
    step: type[Change] = names["Step"]
    return step


def test_the_example_component_works() -> None:
    step = example()(feature="amount")
    assert [step.alarms(series) for series in ([0.0], [0.0, 0.5], [0.0, 1.5])] == [
        False,
        False,
        True,
    ]


def test_the_example_entry_point_names_the_type_of_the_example() -> None:
    block = re.search(r"```toml\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert block
    groups = tomllib.loads(block[1])["project"]["entry-points"]
    [(name, value)] = groups["driftline.change_detectors"].items()
    assert name == type_of(example()(feature="amount"))
    assert value == f"my_package.step:{example().__name__}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / page).read_text()))
    assert named
    assert named <= listed_targets()


def test_every_folder_of_the_tests_is_described() -> None:
    described = set(re.findall(r"`([a-z]+)/`", CONTRIBUTING))
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert folders <= described


def test_every_variable_that_changes_a_size_is_described() -> None:
    code = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    read = set(re.findall(r"environ\.get\(\s*\"(DRIFTLINE_\w+)\"", code))
    assert read == set(re.findall(r"DRIFTLINE_[A-Z_]+\w", CONTRIBUTING))
