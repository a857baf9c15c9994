"""Cause: known texts are written in another way."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.diagnosis.categories import Categories
from detectors.diagnosis.goodness import FITS_ROUGHLY
from detectors.diagnosis.new_values import NewValue, quoted
from detectors.phrases import percent
from detectors.violation import Cause

NEARLY_ALL: Final = 0.95
"""The share of new rows that the other way of writing must explain."""
NULL_TEXTS: Final = frozenset(
    ("", "null", "none", "nan", "n/a", "na", "nil", "undefined", "missing", "-", "?", "\\n")
)
"""Texts that mean that there is no value."""


def format_change(sides: Categories) -> Cause | None:
    """``format_change`` if nearly all new values are known ones in another writing.

    In upper or lower case, with blanks, quotes or another separator, ``7.0`` for ``7``, in another
    encoding, with one prefix or suffix, or cut; or texts that stand for missing values. The shares
    must be those of the baseline once the values are written as before.
    """
    if not sides.words or not sides.has_new or not sides.named:
        return None
    if _explained(sides, [value.name.strip().lower() in NULL_TEXTS for value in sides.named]):
        return _null_texts(sides)
    known = {word: k for k, word in enumerate(sides.feature.vocabulary)}
    for kind, places in _writings(sides.named, known):
        if _explained(sides, [k is not None for k in places]) and _shares_fit(sides, places):
            return _cause(sides, kind, places)
    return None


def _explained(sides: Categories, fits: list[bool]) -> bool:
    """Whether the named values that fit are nearly all named rows."""
    rows = sum(value.rows for value, fit in zip(sides.named, fits, strict=True) if fit)
    total = sum(value.rows for value in sides.named)
    return any(fits) and rows >= NEARLY_ALL * total


Places = list[int | None]


def _writings(named: list[NewValue], known: dict[str, int]) -> Iterable[tuple[str, Places]]:
    """Each way of writing with the known value of each new one, ``None`` where it has none."""
    names = [value.name for value in named]
    for kind, plain in PLAIN_FORMS.items():
        table: dict[str, int] = {}
        for word, k in known.items():
            table.setdefault(plain(word), k)
        yield kind, [table.get(plain(name)) for name in names]
    for affix in _affixes(names, known):
        before = [name.removeprefix(affix) if name.startswith(affix) else None for name in names]
        yield "prefix", [None if word is None else known.get(word) for word in before]
        after = [name.removesuffix(affix) if name.endswith(affix) else None for name in names]
        yield "suffix", [None if word is None else known.get(word) for word in after]
    yield "cut", [_only(k for word, k in known.items() if word.startswith(name)) for name in names]


def _affixes(names: list[str], known: dict[str, int]) -> list[str]:
    """What the first names have before or after a known value."""
    found = []
    for name in names[:2]:
        for cut in range(1, len(name)):
            found += [name[:cut]] if name[cut:] in known else []
            found += [name[cut:]] if name[:cut] in known else []
    return list(dict.fromkeys(found))


def _only(places: Iterable[int]) -> int | None:
    found = list(places)
    return found[0] if len(found) == 1 else None


def _as_number(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _decoded(text: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))


PLAIN_FORMS: Final[dict[str, Callable[[str], str]]] = {
    "case": str.casefold,
    "blanks": lambda text: "".join(text.split()),
    "number": _as_number,
    "quotes": lambda text: text.strip("'\"`"),
    "separator": lambda text: "".join(char for char in text if char.isalnum()),
    "encoding": _decoded,
    "accents": _without_accents,
    "case and blanks": lambda text: "".join(text.split()).casefold(),
}
"""By way of writing, the form that it has in common with the known values."""


def _shares_fit(sides: Categories, places: Places) -> bool:
    """Whether the shares are as before once the new values are counted as known ones.

    If the window names only some of the new values, their own shares are not asked for.
    """
    named = sum(value.rows for value in sides.named)
    if named < NEARLY_ALL * sides.new_rows:
        return True
    return sides.fits(_counted_as_known(sides, places)) >= FITS_ROUGHLY


def _counted_as_known(sides: Categories, places: Places) -> Ints:
    counts = sides.after.copy()
    for value, k in zip(sides.named, places, strict=True):
        if k is not None:
            np.add.at(counts, k, value.rows)
    return counts


def _cause(sides: Categories, kind: str, places: Places) -> Cause:
    share = sides.new_rows / sides.n
    example = ""
    if sides.expose_values:
        value, k = next((v, k) for v, k in zip(sides.named, places, strict=True) if k is not None)
        example = f": {quoted(value.name)} for {quoted(sides.label(k))}"
    return Cause(
        name="format_change",
        words=f"{percent(share)} of the values are known ones in another writing ({kind}){example}",
        action="repair_pipeline",
        numbers={"share": share, "kind": kind},
    )


def _null_texts(sides: Categories) -> Cause | None:
    if sides.fits(sides.after) < FITS_ROUGHLY:
        return None
    share = sides.new_rows / sides.n
    return Cause(
        name="format_change",
        words=f"{percent(share)} of the values are texts that stand for a missing value",
        action="repair_pipeline",
        numbers={"share": share, "kind": "null text"},
    )
