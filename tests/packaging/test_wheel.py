"""The wheel holds the three packages and nothing else, and works where nothing but its dependencies
is."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
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
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (next((tmp_path / "v" / "lib").glob("python*")) / "site-packages" / "borrowed.pth").write_text(
        f"{site}\n"
    )
    told = subprocess.run(
        [tmp_path / "v" / "bin" / "driftline", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "explain" in told.stdout
