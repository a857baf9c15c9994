"""Distributions that offer components, as pip would leave them, and programs that find them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def install(
    folder: Path, group: str, entry: str, module: str, source: str, name: str = "acme-drift"
) -> None:
    """A distribution with one module and one entry point, as pip would leave it."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")


def python(
    folder: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with the distributions in ``folder``, there or in ``cwd``."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
        cwd=cwd or folder,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
