"""Docstrings as people read them outside the code: in the terminal and in the JSON schemas."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Final

_MARKUP: Final = re.compile(
    r"``(?P<code>.+?)``"
    r"|\s*\(:\w+:`[^`]+`\)"  # a reference to other code says nothing to who reads a schema
    r"|:\w+:`~?(?:[\w.]*\.)?(?P<name>\w+)`"
    r"|(?<![\w*])\*{1,2}(?P<stressed>\w(?:[^*]*\w)?)\*{1,2}(?![\w*])",
    re.DOTALL,
)
_ITEM: Final = re.compile(r"\n(?=\* )")


def plain(docstring: str | None) -> str:
    """The text without its markup and its examples: names in single backticks, a paragraph or an
    item of a list on one line.

    >>> plain('''The **sum** of ``a *
    ...     b``; see :func:`stream.cli.main`.
    ...
    ...     * ``a``: one
    ...       or 10**2 (:func:`two`)
    ... ''')
    'The sum of `a * b`; see main.\\n\\n* `a`: one or 10**2'
    """
    text = cleandoc(docstring or "").split("\n>>> ")[0].strip()
    return "\n\n".join(
        "\n".join(map(_line, _ITEM.split(block))) for block in re.split(r"\n\s*\n", text)
    )


def _line(text: str) -> str:
    return " ".join(_MARKUP.sub(_without_marks, text).split())


def _without_marks(found: re.Match[str]) -> str:
    return f"`{found['code']}`" if found["code"] else found["name"] or found["stressed"] or ""
