"""The lines of the jsonl sink, of compressed days too."""

from __future__ import annotations

from pathlib import Path

from sinks.day_files import files_of, opened


def lines_of_days(folder: Path, kind: str) -> list[bytes]:
    """All lines of the files of a kind, without their ends, repeats included."""
    lines: list[bytes] = []
    for path in files_of(folder, [kind]):
        with opened(path) as (content, _):
            lines += content.read().splitlines()
    return lines
