"""The contract of every check in ``detectors/decisions/checks/``, and of those that other
distributions offer. A new file is tested by itself.

The laws are in :mod:`stream.testing.check`.
"""

from __future__ import annotations

import pytest

from detectors.decisions.catalogue import CHECKS
from detectors.decisions.checks.base import Check
from stream.testing.check import CheckContract


class TestChecks(CheckContract):
    @pytest.fixture(params=sorted(CHECKS))
    def check(self, request: pytest.FixtureRequest) -> Check:
        return CHECKS[request.param]
