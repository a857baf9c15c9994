"""The wheel holds the three packages and the program, and works with its dependencies alone."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from driftline_command import PACKAGES
from tests.packaging.wheels import build_editable, build_wheel, clean_environment, installed
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_exactly_three_packages_and_the_program(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {*PACKAGES, "driftline_command.py"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
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


def test_the_command_of_a_checkout_works_inside_and_outside_of_it(tmp_path: Path) -> None:
    """As ``make`` installs it: ``pip install --editable``."""
    programs = installed(tmp_path, [build_editable(ROOT, tmp_path)])
    for folder in (ROOT, tmp_path):
        done = subprocess.run(
            [programs / "driftline", "--version"],
            capture_output=True,
            text=True,
            cwd=folder,
            env=clean_environment(),
        )
        assert done.returncode == 0, done.stderr


def test_modules_of_the_user_hide_none_of_the_program(wheel: Path, tmp_path: Path) -> None:
    """Modules with the names of driftline's packages, of its libraries and of Python's own."""
    programs = installed(tmp_path, [wheel])
    folder = tmp_path / "user"
    (folder / "sinks").mkdir(parents=True)
    (folder / "sinks" / "__init__.py").write_text("raise SystemExit('of the user')")
    for name in ("stream", "detectors", "click", "numpy", "statistics", "colorsys"):
        (folder / f"{name}.py").write_text("raise SystemExit('of the user')")
    for path in (str(folder), "", ".", f"/nowhere:{folder}"):
        for command in ([programs / "driftline"], [programs / "python", "-m", "driftline_command"]):
            done = subprocess.run(
                [*command, "schema", "report"],
                capture_output=True,
                text=True,
                cwd=folder,
                env={**clean_environment(), "PYTHONPATH": path},
            )
            assert (done.returncode, done.stdout[:1]) == (0, "{"), done.stderr


def test_a_developer_runs_another_checkout_with_pythonpath(wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path, [wheel])
    show = "import driftline_command as d, sys; sys.argv[1:] = ['--version']; import atexit; "
    show += "atexit.register(lambda: print(sys.modules['stream'].__file__)); d.main()"
    done = subprocess.run(
        [programs / "python", "-c", show],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == str(ROOT / "stream" / "__init__.py"), done.stderr


def test_a_module_that_does_hide_one_is_named(wheel: Path, tmp_path: Path) -> None:
    """A folder that another distribution puts at the front of the search path."""
    programs = installed(tmp_path, [wheel])
    folder = tmp_path / "front"
    folder.mkdir()
    (folder / "sinks.py").write_text("")
    [site_packages] = (programs.parent / "lib").glob("python*/site-packages")
    (site_packages / "front.pth").write_text(f"import sys; sys.path.insert(0, {str(folder)!r})\n")
    done = subprocess.run(
        [programs / "driftline", "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean_environment(),
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"driftline: the module 'sinks' is {folder / 'sinks.py'}, which")
    assert f"hides {site_packages / 'sinks'} of driftline" in done.stderr


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
