"""The file of dead letters: rotation by size, permissions, and the limit of a second."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from stream.delivery.dead_letters import DeadLetterFile
from stream.delivery.letter_limit import BURST_S, LetterLimit
from stream.events import DeadLetter, DeadLetters, Output


def letters(count: int, first: int = 0) -> DeadLetters:
    return DeadLetters(
        tuple(
            DeadLetter(partition="p", position=k, reason="undecodable", length=1, sha256="0" * 64)
            for k in range(first, first + count)
        )
    )


def positions(path: Path) -> list[int]:
    return [json.loads(line)["position"] for line in path.read_text().splitlines()]


def test_a_full_file_is_renamed_and_the_oldest_one_removed(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path, most_bytes=1, old_files=2)
    for first in range(5):
        file.deliver([letters(1, first)])
    names = sorted(kept.name for kept in tmp_path.iterdir())
    assert names == ["dead.jsonl", "dead.jsonl.1", "dead.jsonl.2"]
    assert [positions(tmp_path / name) for name in names] == [[4], [3], [2]]


def test_without_old_files_a_full_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path, most_bytes=1, old_files=0)
    for first in range(3):
        file.deliver([letters(1, first)])
    assert [kept.name for kept in tmp_path.iterdir()] == ["dead.jsonl"]
    assert positions(path) == [2]


def test_a_file_below_its_size_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    for first in range(3):
        DeadLetterFile(path, most_bytes=10_000, old_files=1).deliver([letters(1, first)])
    assert positions(path) == [0, 1, 2]


def test_a_device_in_place_of_the_file_is_not_renamed(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    path.symlink_to("/dev/null")
    file = DeadLetterFile(path, most_bytes=1, old_files=1)
    for _ in range(2):
        file.deliver([letters(1)])
    assert path.is_symlink()


def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    DeadLetterFile(path, most_bytes=10_000, old_files=1).deliver([letters(1)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_letters_left_out_are_counted_in_a_line_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    file = DeadLetterFile(path, most_bytes=10_000, old_files=1)
    file.deliver([DeadLetters(letters(1).letters, left_out=7)])
    assert json.loads(path.read_text().splitlines()[-1]) == {"left_out": 7}


def kept(outputs: list[Output]) -> int:
    return sum(len(output.letters) for output in outputs if isinstance(output, DeadLetters))


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_a_flood_is_limited_to_the_rate_and_every_letter_kept_or_counted(batch: int) -> None:
    """100 s of 1,000 letters a second: 10 s of burst at once, then 20 in each second."""
    limit = LetterLimit(most_per_s=20)
    total = total_kept = total_left_out = 0
    while total < 100_000:
        outputs, left_out = limit.kept([letters(batch)], now_s=total / 1_000)
        total += batch
        total_kept += kept(outputs)
        total_left_out += left_out
    assert total_kept + total_left_out == total
    assert total_kept == pytest.approx(20 * BURST_S + 20 * 100, abs=20)


def test_letters_below_the_rate_are_all_kept_and_other_outputs_pass() -> None:
    limit = LetterLimit(most_per_s=20)
    for second in range(1_000):
        outputs, left_out = limit.kept([letters(20)], now_s=float(second))
        assert (kept(outputs), left_out) == (20, 0)
