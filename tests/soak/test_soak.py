"""No size grows with time: part of a compressed month and ten wide models, in the service."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.soak import memory, month
from tests.soak.clockwork import measured_by

LONG = os.environ.get("DRIFTLINE_LONG") == "all"
WINDOWS = month.WINDOWS if LONG else 1_600
WIDE_WINDOWS = memory.WINDOWS if LONG else 200


@pytest.mark.slow
def test_neither_memory_nor_the_state_grows_with_the_number_of_windows() -> None:
    figures: dict[str, Any] = month.run(WINDOWS)
    assert figures["exit_code"] == 0, figures
    assert figures["windows_reported"] == figures["windows_sent"], figures
    assert figures["rows_reported"] == figures["rows_sent"], figures
    signals = figures["signals"]
    assert signals["opened"] == signals["recovered"] == figures["days_with_a_fault"], figures
    assert figures["rss_growth_mb"] < 15, figures
    assert figures["file_growth_mb"] < 1, figures
    rows = figures["most_rows"]
    # a pane for each of ten minutes of lateness, the open pane, and the pane of the last poll
    assert rows["panes"] <= 13, figures
    assert (rows["newest"], rows["baselines"], rows["cursors"]) == (1, 1, 3)
    assert rows["outbox"] <= 2_500, figures


@pytest.mark.slow
def test_ten_models_of_200_features_stay_under_500_mb() -> None:
    figures: dict[str, Any] = memory.run(WIDE_WINDOWS)
    assert figures["exit_code"] == 0, figures
    assert figures["rss_mb_most"] < memory.LIMIT_MB, figures
    # 1,330 panes take 170 MB: ten panes that stay in each step are 58 MB in the last 45 steps
    assert figures["rss_growth_mb"] < 25, figures
    # for each model twelve open panes, and two minutes beyond the ten of lateness for grace and
    # rounding
    assert figures["panes_most"] <= memory.MODELS * (12 + 120 + 13), figures


@pytest.mark.parametrize(
    ("fault", "description"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended with SIGKILL; the end of its log: empty"),
        (
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "ended with SIGSEGV; the end of its log: Fatal Python error: Segmentation fault",
        ),
        (
            "print('words', file=sys.stderr), os._exit(3)",
            "ended with exit code 3; the end of its log: words",
        ),
    ],
)
def test_a_failed_measurement_is_described(fault: str, description: str) -> None:
    """``timeit`` is a module that runs any statement."""
    with pytest.raises(RuntimeError, match=f"^timeit {description}"):
        measured_by("timeit", "-n1", "-r1", f"import os, signal, sys; {fault}")
