"""Builds wheels, and installs them into environments of their own without downloading anything."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path


def build_wheel(source: Path, folder: Path) -> Path:
    """The wheel of the distribution in ``source``, in ``folder``."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def build_editable(source: Path, folder: Path) -> Path:
    """The wheel by which ``pip install --editable`` installs ``source``, in ``folder``."""
    build = "import sys, hatchling.build; hatchling.build.build_editable(sys.argv[1])"
    command = [sys.executable, "-c", build, str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=source)
    [wheel] = folder.glob("*.whl")
    return wheel


def installed(folder: Path, wheels: Sequence[Path]) -> Path:
    """The folder of programs of a new environment below ``folder`` with these wheels.

    It borrows all other packages from the environment of the tests.
    """
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    programs = environment / "bin"
    install = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "-q"]
    offline = ["--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*install, *offline, *map(str, wheels)], check=True)
    [site_packages] = (environment / "lib").glob("python*/site-packages")
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "borrowed.pth").write_text("".join(f"{path}\n" for path in sorted(borrowed)))
    return programs


def clean_environment() -> dict[str, str]:
    """The variables of this process without those that would import from the repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
