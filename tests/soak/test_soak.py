"""Time passes and nothing grows: a compressed stretch of a month, and ten wide models, through the
real service."""

from __future__ import annotations

import os

import pytest

from tests.soak import memory, month
from tests.soak.clockwork import told_by

LONG = os.environ.get("DRIFTLINE_LONG") == "all"
WINDOWS = month.WINDOWS if LONG else 1_600
WIDE_WINDOWS = memory.WINDOWS if LONG else 200


@pytest.mark.slow
def test_windows_pass_and_neither_memory_nor_the_state_grows() -> None:
    told = month.run(WINDOWS)
    assert told["exit_code"] == 0, told
    assert (told["windows_reported"], told["rows_reported"]) == (
        told["windows_sent"],
        told["rows_sent"],
    ), told
    signals = told["signals"]
    assert isinstance(signals, dict)
    assert signals["opened"] == signals["recovered"] == told["days_with_a_fault"], told
    assert float(str(told["rss_growth_mb"])) < 15, told
    assert float(str(told["file_growth_mb"])) < 1, told
    rows = told["most_rows"]
    assert isinstance(rows, dict)
    # a pane a minute for ten minutes of lateness, the open one, and the one that came with the last
    # poll
    assert rows["panes"] <= 13, told
    assert (rows["newest"], rows["baselines"], rows["cursors"]) == (1, 1, 3)
    assert rows["outbox"] <= 2_500, told


@pytest.mark.slow
def test_ten_models_of_200_features_stay_under_400_mb() -> None:
    told = memory.run(WIDE_WINDOWS)
    assert told["exit_code"] == 0, told
    assert float(str(told["rss_mb_most"])) < memory.LIMIT_MB, told
    assert float(str(told["rss_growth_mb"])) < 10, told
    # twelve open panes, two minutes more than ten of lateness by grace and rounding, for each model
    assert int(str(told["panes_most"])) <= memory.MODELS * (12 + 120 + 13), told


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL; its last words: none"),
        (
            "os.kill(os.getpid(), signal.SIGSEGV)",
            "ended by SIGSEGV; its last words: Fatal Python error: Segmentation fault",
        ),
        (
            "print('words', file=sys.stderr), os._exit(3)",
            "ended by exit code 3; its last words: words",
        ),
    ],
)
def test_a_measurement_that_ends_badly_says_how(how: str, told: str) -> None:
    """``timeit`` is a module that does what it is told to."""
    with pytest.raises(RuntimeError, match=f"^timeit {told}"):
        told_by("timeit", "-n1", "-r1", f"import os, signal, sys; {how}")
