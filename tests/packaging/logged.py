"""What the code logs, read off its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from stream.telemetry.partition_changes import FOUND, WORDS
from tests.support.paths import ROOT

LEVELS = frozenset({"info", "warning", "error"})


def events() -> set[str]:
    """The events of all log lines."""
    found = {event for file in _files() for event in _logged(file, LEVELS)}
    return found | {FOUND, *WORDS.values()}


def _files() -> Iterator[Path]:
    for folder in ("stream", "sinks"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def _logged(file: Path, levels: frozenset[str]) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _logs(node.func, levels):
            yield from _texts(node.args[0], tree)


def _logs(called: ast.expr, levels: frozenset[str]) -> bool:
    """``log.warning(...)``, or ``say(...)`` where ``say`` is one of several such methods."""
    return (isinstance(called, ast.Attribute) and called.attr in levels) or (
        isinstance(called, ast.Name) and called.id == "say"
    )


def _texts(argument: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The text, both of ``a if ... else b``, or of a name what some assignment to several names
    gives it."""
    if isinstance(argument, ast.Name):
        yield from _assigned(argument.id, tree)
    for node in ast.walk(argument):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _assigned(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, value in zip(names, values, strict=True):
                    if (
                        isinstance(target, ast.Name)
                        and target.id == name
                        and isinstance(value, ast.Constant)
                    ):
                        yield str(value.value)
