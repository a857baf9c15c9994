"""The wheel holds the three packages and nothing else, and works with its dependencies alone."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("driftline-*.whl"))


def test_the_wheel_holds_exactly_three_packages(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"stream", "detectors", "sinks"}
    assert {f"{top}/py.typed" for top in tops} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_wheel_has_the_command(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "v", with_pip=True, system_site_packages=False)
    python = tmp_path / "v" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True
    )
    dependencies = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    site_packages = next((tmp_path / "v" / "lib").glob("python*")) / "site-packages"
    (site_packages / "borrowed.pth").write_text(f"{dependencies}\n")
    result = subprocess.run(
        [tmp_path / "v" / "bin" / "driftline", "--help"],
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
