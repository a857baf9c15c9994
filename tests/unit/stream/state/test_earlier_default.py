"""The state that 0.1.0 wrote under the default name that all jobs of a folder shared."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stream.errors import StateUnreadable
from stream.state.earlier_default import earlier_state
from tests.support.paths import ROOT

OLD = gzip.decompress((ROOT / "tests/golden/state_0_1_0/state.sqlite.gz").read_bytes())
JOB = "upgrade"


def test_it_is_used_by_its_own_job_until_that_has_another_one(tmp_path: Path) -> None:
    earlier = tmp_path / "driftline.sqlite"
    earlier.write_bytes(OLD)
    default, other = (tmp_path / f"driftline-{job}.sqlite" for job in (JOB, "other"))
    assert earlier_state(default, JOB) == earlier
    assert earlier_state(other, "other") == other
    assert earlier_state(tmp_path / "chosen.sqlite", JOB) == tmp_path / "chosen.sqlite"
    default.touch()
    assert earlier_state(default, JOB) == default


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_no_state_is_passed_over(tmp_path: Path, content: bytes) -> None:
    default = tmp_path / f"driftline-{JOB}.sqlite"
    assert earlier_state(default, JOB) == default, "without a file"
    (tmp_path / "driftline.sqlite").write_bytes(content)
    assert earlier_state(default, JOB) == default


def test_a_damaged_state_is_refused_since_its_job_is_not_known(tmp_path: Path) -> None:
    damaged = bytearray(OLD)
    damaged[100:] = b"\xff" * (len(damaged) - 100)
    (tmp_path / "driftline.sqlite").write_bytes(damaged)
    with pytest.raises(StateUnreadable, match="driftline.sqlite"):
        earlier_state(tmp_path / f"driftline-{JOB}.sqlite", JOB)
