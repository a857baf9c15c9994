"""The quickstart job, run once for all tests of the documentation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def driftline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "stream.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def finished_quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of docs/quickstart, its baseline, and the reports of its job."""
    folder = tmp_path_factory.mktemp("quickstart") / "job"
    shutil.copytree(ROOT / "docs" / "quickstart", folder)
    commands = (
        ("baseline", "train.csv", "--out", "baseline/", "--predictions", "price"),
        ("run", "config.yaml"),
    )
    for command in commands:
        done = driftline(folder, *command)
        assert done.returncode == 0, done.stderr
    return folder
