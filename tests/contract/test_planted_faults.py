"""The contracts that driftline ships find faults that are planted in components."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.contract.planted_faults import FOUND_BY
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def failed() -> set[tuple[str, str]]:
    """The class of a planted fault and the law, of each test that fails."""
    tests = [f"tests/contract/planted_faults.py::{name}::{law}" for name, law in FOUND_BY.items()]
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-rf", "--tb=no")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1, run.stdout[-2_000:] + run.stderr[-2_000:]
    return set(re.findall(r"^FAILED \S+::(Test\w+)::(test_\w+)", run.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_planted_fault_is_found_by_the_law_that_it_breaks(
    name: str, failed: set[tuple[str, str]]
) -> None:
    assert (name, FOUND_BY[name]) in failed
