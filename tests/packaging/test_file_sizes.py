"""Files are short enough to be read as a whole; pyproject.toml has the rule and its reason."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.paths import ROOT

FOLDERS = ("stream", "sinks", "detectors", "demo", "benchmarks", "tests")
LIMIT = 420
"""About 400 lines, so that no file is squeezed for the sake of a number."""
LIMIT_OF_TESTS = 600
"""A file of tests is a list, of which a reader needs one test at a time."""
EXCEPTIONS = {
    "tests/oracle.py": "the definition of all counts, which is read in one piece",
    "tests/property/events.py": "the grammar of arbitrary events, whose rules refer to each other",
}


def too_long() -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            limit = LIMIT_OF_TESTS if path.name.startswith("test_") else LIMIT
            lines = path.read_text().count("\n")
            if lines > limit:
                yield f"{path.relative_to(ROOT)}: {lines} lines, at most {limit}"


def test_no_file_is_longer_than_the_limit() -> None:
    assert [file for file in too_long() if file.split(":")[0] not in EXCEPTIONS] == []


def test_every_exception_is_still_needed() -> None:
    assert {file.split(":")[0] for file in too_long()} == set(EXCEPTIONS)
