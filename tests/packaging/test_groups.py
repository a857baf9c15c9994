"""Tests that share a fixture of their module run on one worker, so that it is set up once."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module")
def process() -> int:
    return os.getpid()


@pytest.mark.usefixtures("process")
def test_a_test_with_a_fixture_of_its_module_is_in_the_group_of_its_file(
    request: pytest.FixtureRequest,
) -> None:
    grouped = "PYTEST_XDIST_WORKER" in os.environ
    assert request.node.nodeid.endswith("@tests/packaging/test_groups.py") == grouped


def test_a_test_without_one_is_in_no_group(request: pytest.FixtureRequest) -> None:
    assert "@" not in request.node.nodeid
