"""Lists of names in options: separated by commas, in double quotes where a name holds one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

_ITEM: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,"][^,]*)?)(,|$)')


def parse_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in the values of an option that may be repeated.

    Blanks around a name are left out; a name in double quotes stands as it is, and a double quote
    in it is written twice. Raises ``ValueError`` for quotes that do not surround a whole name.

    >>> parse_names(['a, b c', '"d,e"'])
    ('a', 'b c', 'd,e')
    """
    return tuple(name for text in texts for name in _parsed(text))


def _parsed(text: str) -> list[str]:
    names: list[str] = []
    position, separator = 0, ","
    while separator == ",":
        item = _ITEM.match(text, position)
        if item is None:
            advice = """a name with a comma is given in double quotes, as in '"a,b",c'"""
            raise ValueError(f"{text!r} is no list of names: {advice}")
        quoted, plain, separator = item.groups()
        name = (plain or "").strip() if quoted is None else quoted.replace('""', '"')
        names += [name] if name else []
        position = item.end()
    return names


def names_in_shell(names: Sequence[str]) -> str:
    """Return the names as an option of a shell command gets them.

    >>> print(names_in_shell(["a", "b c"]), names_in_shell(["d,e"]))
    'a,b c' '"d,e"'
    """
    return shlex.quote(",".join(map(_in_list, names)))


def _in_list(name: str) -> str:
    if name == name.strip() and not {",", '"'} & set(name):
        return name
    return '"{}"'.format(name.replace('"', '""'))
