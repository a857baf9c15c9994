"""The events that the code logs, read from its source.

An event is the first argument of a call of a logger's method, ``log.warning("sink_retrying", ...)``
or ``log.log(level, "window_closed", ...)``: a literal, or a conditional expression of literals. A
module that chooses among several events keeps them in constants whose names end in ``_EVENT`` or
``_EVENTS``. Events of level debug are for developers and are not documented.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.paths import ROOT

LEVELS: Final = frozenset({"info", "warning", "error", "exception", "critical"})
CONSTANTS: Final = ("_EVENT", "_EVENTS")


class Logged(NamedTuple):
    """An event and its location. ``event`` is empty if it cannot be read from the source."""

    event: str
    package: str
    where: str


def logged() -> list[Logged]:
    """Every event of every module, by package: ``sinks``, ``stream/service`` and so on."""
    return [entry for top in ("sinks", "stream") for entry in _of_folder(ROOT / top)]


def _of_folder(top: Path) -> Iterator[Logged]:
    for file in sorted(top.rglob("*.py")):
        path = file.relative_to(ROOT)
        package = "/".join(path.parts[:2] if path.parts[0] == "stream" else path.parts[:1])
        tree = ast.parse(file.read_text())
        constants = list(_constants(tree))
        for line, argument in _calls(tree):
            literals = list(_literals(argument))
            for event in literals or constants or [""]:
                yield Logged(event, package, f"{path}:{line}")


def _calls(tree: ast.Module) -> Iterator[tuple[int, ast.expr]]:
    """Line and event of each call of a logger's method."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=[event, *_]) if attr in LEVELS:
                yield node.lineno, event
            case ast.Call(func=ast.Attribute(value=logger, attr="log"), args=[_, event, *_]) if (
                ast.unparse(logger).endswith("log")
            ):
                yield node.lineno, event


def _literals(event: ast.expr) -> Iterator[str]:
    match event:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _literals(body)
            yield from _literals(orelse)


def _constants(tree: ast.Module) -> Iterator[str]:
    """The texts in constants for events: a text, or the values of a mapping."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        if name.endswith(CONSTANTS):
            values = value.values if isinstance(value, ast.Dict) else [value]
            for part in values:
                yield from _literals(part)
