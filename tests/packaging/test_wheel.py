"""The wheel holds the three packages and nothing else, and works with its dependencies alone."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.wheels import build_wheel, installed
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_exactly_three_packages(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"stream", "detectors", "sinks"}
    assert {f"{top}/py.typed" for top in tops} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_wheel_has_the_command(wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path, [wheel])
    result = subprocess.run(
        [programs / "driftline", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "explain" in result.stdout


def test_the_metadata_names_every_dependency_and_extra(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata.count("Requires-Dist: ") == len(project["dependencies"]) + sum(
        len(requirements) for requirements in project["optional-dependencies"].values()
    )
    assert {f"Provides-Extra: {extra}" for extra in project["optional-dependencies"]} <= set(
        metadata.splitlines()
    )
    assert f"Summary: {project['description']}" in metadata
