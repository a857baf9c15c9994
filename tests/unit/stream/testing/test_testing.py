"""``stream.testing`` needs pytest, and nothing of the service needs ``stream.testing``."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT

WITHOUT_PYTEST = "import sys; sys.modules['pytest'] = None; "


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTEST + script], cwd=ROOT, capture_output=True, text=True
    )


def test_without_pytest_the_import_fails_and_says_what_to_install() -> None:
    answer = run("import stream.testing.sink")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == (
        "ImportError: stream.testing needs pytest."
        " Install it with: pip install 'driftline[testing]'"
    )


def test_the_service_and_its_components_load_without_pytest() -> None:
    answer = run(
        "import stream.config.model, stream.service.process, stream.check.live, stream.cli"
    )
    assert answer.returncode == 0, answer.stderr
