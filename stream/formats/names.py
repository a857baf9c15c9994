"""The names of models and variants that are accepted, from records and from a configuration."""

from __future__ import annotations

import re
from typing import Final

LONGEST_NAME: Final = 256
"""The characters of the longest name of a model or variant."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def name_problem(name: str) -> str:
    """Return what forbids a name in state, metrics and reports; empty if nothing does.

    A lone surrogate stands for a byte that is not UTF-8, or was written as such.

    >>> name_problem("AllTraffic"), name_problem("a\\x1fb")
    ('', 'has the control character U+001F')
    """
    if _SURROGATE.search(name):
        return "is not valid Unicode"
    control = _CONTROL.search(name)
    if control:
        return f"has the control character U+{ord(control.group()):04X}"
    if len(name) > LONGEST_NAME:
        return f"has {len(name):,} characters of at most {LONGEST_NAME}"
    return ""
