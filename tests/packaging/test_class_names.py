"""A public class has a name of its own: one name is one idea."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.paths import ROOT

FOLDERS = ("stream", "sinks", "detectors", "demo", "benchmarks")
SHARED = {
    "Jsonl": {"sinks/jsonl.py", "stream/sources/jsonl/source.py"},
    "S3": {"sinks/s3.py", "stream/sources/s3/source.py"},
}
"""A source and a sink of the same ``type``, by which both are named."""


def public_classes() -> dict[str, list[str]]:
    """The files that define a class of each public name, classes inside of classes included."""
    files: dict[str, list[str]] = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    files[node.name].append(str(path.relative_to(ROOT)))
    return files


def test_no_two_public_classes_share_a_name_except_a_source_and_a_sink_of_one_type() -> None:
    classes = public_classes()
    assert len(classes) > 100
    shared = {name: files for name, files in classes.items() if len(files) > 1}
    assert {name: set(files) for name, files in shared.items()} == SHARED
    assert all(len(files) == len(SHARED[name]) for name, files in shared.items())
