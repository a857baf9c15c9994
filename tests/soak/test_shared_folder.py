"""Two services that share a folder are killed again and again: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.soak.clockwork import measured_by

MODULE = "tests.soak.shared_folder"
KILLS = int(os.environ.get("DRIFTLINE_KILLS_FOLDER", "40"))


@pytest.mark.slow
def test_every_report_of_two_killed_services_is_in_their_folder_as_often_as_written() -> None:
    figures: dict[str, Any] = measured_by(MODULE, "--kills", str(KILLS))
    assert figures["kills"] >= KILLS
    assert figures["reports"] > 400, figures
    assert figures["days"] > 3, figures
    assert figures["missing"] == figures["doubled"] == [], figures


@pytest.mark.slow
def test_without_locks_a_report_is_missed_soon() -> None:
    """A planted fault: a service appends to a file that the other one is about to remove."""
    runs = (
        measured_by(MODULE, "--kills", "20", "--without-locks", "--seed", str(seed))
        for seed in range(1, 11)
    )
    assert any(figures["missing"] for figures in runs)
