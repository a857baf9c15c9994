"""CONTRIBUTING.md and SECURITY.md name only existing things, and the example component runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from detectors.changes.base import Change
from detectors.components import type_of
from tests.packaging.test_readme import listed_targets
from tests.support.paths import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
BUILDERS = {
    "__init__",
    "baselines",
    "configuration",
    "records",
    "reports",
    "quality_reports",
    "schedule_reports",
}
"""Modules of ``stream.testing`` that are no contract of a kind of component."""
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


def test_the_example_keeps_the_contract_of_its_kind_as_shown(tmp_path: Path) -> None:
    """A distribution of the class, the entry point and the test that the page shows."""
    component, entry_point, test = (
        re.search(pattern, CONTRIBUTING, re.MULTILINE | re.DOTALL)
        for pattern in (
            r"^   ```python\n(.*?)^   ```",
            r"```toml\n(.*?)```",
            r"^```python\n(.*?)```",
        )
    )
    assert component
    assert entry_point
    assert test
    package, info = tmp_path / "my_package", tmp_path / "my_package-1.0.dist-info"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "step.py").write_text(re.sub(r"^   ", "", component[1], flags=re.MULTILINE))
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    [(group, entries)] = tomllib.loads(entry_point[1])["project"]["entry-points"].items()
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    (tmp_path / "test_step.py").write_text(test[1])
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    tests = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            tmp_path,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert tests.returncode == 0, tests.stdout[-2_000:]
    assert " passed" in tests.stdout


def test_every_contract_is_named_with_the_fixture_that_an_author_overrides() -> None:
    rows = re.findall(
        r"^\| [a-z ]+ \| `(stream\.testing\.\S+)\.(\w+)` \| `(\w+)` \|$", CONTRIBUTING, re.MULTILINE
    )
    modules = {path.stem for path in (ROOT / "stream" / "testing").glob("*.py")}
    assert {module.rpartition(".")[2] for module, _, _ in rows} == modules - BUILDERS
    for module, contract, fixture in rows:
        assert hasattr(getattr(import_module(module), contract), fixture)


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
