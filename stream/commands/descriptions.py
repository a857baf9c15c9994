"""Extracts the descriptions of structs and of their fields, for the JSON schemas."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent


def summary(struct: type) -> str:
    """Return the first paragraph of a struct's docstring as one line."""
    return _plain(inspect.cleandoc(struct.__doc__ or "").split("\n\n")[0])


def field_descriptions(struct: type) -> dict[str, str]:
    """Return the texts below the fields of a struct and of its bases, by field.

    A string after the definition of a field documents it; Python itself does not keep it. Where
    there is no source to read, there are no descriptions.
    """
    descriptions: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        descriptions |= _own_descriptions(base)
    return descriptions


def _own_descriptions(struct: type) -> dict[str, str]:
    try:
        source = dedent(inspect.getsource(struct))
    except (OSError, TypeError):
        return {}
    definition = ast.parse(source).body[0]
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: _plain(text.value.value)
        for field, text in pairwise(statements)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


def _plain(text: str) -> str:
    """One line, with names in single backticks, as Markdown has them."""
    return " ".join(text.replace("``", "`").split())
