"""The contracts that driftline ships find faults that are planted in components."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.contract import planted_faults, planted_labels, planted_statistics
from tests.support.paths import ROOT

pytestmark = pytest.mark.programs
FILES = {
    "planted_faults.py": planted_faults.FOUND_BY,
    "planted_labels.py": planted_labels.FOUND_BY,
    "planted_statistics.py": planted_statistics.FOUND_BY,
}
FOUND_BY = {name: law for found_by in FILES.values() for name, law in found_by.items()}


@pytest.fixture(scope="module")
def output() -> str:
    """What pytest prints about the planted faults: a line for each test that fails."""
    tests = [
        f"tests/contract/{file}::{name}::{law}"
        for file, found_by in FILES.items()
        for name, law in found_by.items()
    ]
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-rf", "--tb=no")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout[-2_000:] + run.stderr[-2_000:]
    return run.stdout


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_planted_fault_is_found_by_the_law_that_it_breaks(name: str, output: str) -> None:
    failed = re.findall(r"^FAILED \S+::(Test\w+)::(test_\w+)", output, re.MULTILINE)
    assert (name, FOUND_BY[name]) in failed


def test_a_law_that_fails_shows_the_values_that_it_compared(output: str) -> None:
    """pytest rewrites the assertions of the shipped modules as it does those of test modules."""
    assert "AssertionError: assert 'another' == 'planted'" in output
