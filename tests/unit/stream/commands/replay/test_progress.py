"""The time that captures span, before they are read."""

from pathlib import Path

from stream.commands.replay.progress import HOUR_MS, span_of

FIRST_MS = 1_795_910_400_000
"""2026-11-29 00:00 UTC."""


def test_files_state_their_time_by_the_hours_in_their_paths(tmp_path: Path) -> None:
    for name in ("2026/11/29/00/a.jsonl", "2026/11/29/05/b.jsonl.gz", "2026/13/40/99/c.jsonl"):
        (tmp_path / "endpoint" / name).parent.mkdir(parents=True)
        (tmp_path / "endpoint" / name).write_text("")
    whole = FIRST_MS, FIRST_MS + 6 * HOUR_MS
    assert span_of(str(tmp_path), None, 0) == whole
    since_ms = FIRST_MS + HOUR_MS
    assert span_of(str(tmp_path), since_ms, 0) == (since_ms, whole[1])


def test_without_dates_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("")
    assert span_of(str(tmp_path), None, 0) is None
    assert span_of(str(tmp_path / "absent"), None, 0) is None
    assert span_of("s3://bucket/prefix/", None, 0) is None
    assert span_of("s3://bucket/prefix/", FIRST_MS, FIRST_MS + 5) == (FIRST_MS, FIRST_MS + 5)
