"""What an id and a label may be: the definition for every label format."""

from __future__ import annotations

import csv
import math
from typing import Final

from stream.formats.faults import MalformedRecord, type_name
from stream.formats.json_text import load_documents
from stream.labels.base import LabelValue
from stream.labels.rows import MOST_ROWS

LONGEST_ID_BYTES: Final = 1_024
"""The length of the longest id, in UTF-8; a longer one is a payload at the place of an id."""
LONGEST_CLASS: Final = 256
"""The number of characters of the longest class name."""


def id_of(value: object) -> str:
    """Return an id as text; a whole number is its digits, since many producers count.

    Raises :class:`~stream.formats.faults.MalformedRecord`: ``id_missing`` for null or an empty
    text, ``id_invalid`` for another type or half a character, ``id_too_long``.

    >>> id_of("a-7"), id_of(7)
    ('a-7', '7')
    """
    if value is None or value == "":
        raise MalformedRecord("id_missing")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise MalformedRecord("id_invalid", f"the id is {type_name(value)}")
    try:
        length = len(value.encode())
    except UnicodeEncodeError as error:
        raise MalformedRecord("id_invalid", "the id is not valid Unicode") from error
    if length > LONGEST_ID_BYTES:
        raise MalformedRecord("id_too_long", f"{length:,} bytes")
    return value


def label_of(value: object) -> LabelValue | list[LabelValue]:
    """Return the label of an event, or the list of those of its rows.

    A text that is a number is that number. Raises :class:`~stream.formats.faults.MalformedRecord`:
    ``label_missing`` for null, an empty text or an empty list; ``label_invalid`` for NaN, an
    infinity, an object, a list in a list, or a text that is too long; ``too_many_rows``.

    >>> label_of("1.0"), label_of(" fraud "), label_of([True, 2])
    (1.0, 'fraud', [True, 2.0])
    """
    if not isinstance(value, list):
        return _single(value)
    if not value:
        raise MalformedRecord("label_missing", "an empty list")
    if len(value) > MOST_ROWS:
        raise MalformedRecord("too_many_rows", f"{len(value):,} labels")
    return [_single(entry) for entry in value]


def label_of_csv(text: str) -> LabelValue | list[LabelValue]:
    r"""Return the label in a CSV payload; one line is one row of the event, with one label.

    A line of several values is ``label_invalid``: whether they are rows or columns is unknown.
    Raises as :func:`label_of` does.

    >>> label_of_csv("1\n"), label_of_csv("1\n0\n"), label_of_csv('"New York, NY"')
    (1.0, [1.0, 0.0], 'New York, NY')
    """
    text = text.rstrip("\r\n")
    if '"' not in text and "," not in text:
        lines = text.split("\n")
    else:
        lines = [_only_cell(row) for row in _csv_rows(text)]
    return label_of(lines[0] if len(lines) == 1 else lines)


def label_of_json(text: str) -> LabelValue | list[LabelValue]:
    """Return the label in a JSON payload: a value, a list with one for each row, or an object.

    An object must have a single key, whose value is the label. Documents that follow each other
    are rows. Raises as :func:`label_of` does, and for text that is not JSON.

    >>> label_of_json('{"label": 1}'), label_of_json('[{"y": 1}, {"y": 0}]')
    (1.0, [1.0, 0.0])
    """
    documents = [_content(document) for document in load_documents(text)]
    value = documents[0] if len(documents) == 1 else documents
    return label_of([_content(entry) for entry in value] if isinstance(value, list) else value)


def _single(value: object) -> LabelValue:
    if isinstance(value, str):
        return _label_of_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _finite(value)
    if value is None:
        raise MalformedRecord("label_missing")
    raise MalformedRecord("label_invalid", f"the label is {type_name(value)}")


def _label_of_text(text: str) -> float | str:
    text = text.strip()
    if not text:
        raise MalformedRecord("label_missing", "an empty text")
    try:
        number = float(text)
    except ValueError:
        number = None
    if number is not None and "_" not in text:
        return _finite(number)
    if len(text) > LONGEST_CLASS:
        raise MalformedRecord("label_invalid", f"a text of {len(text):,} characters")
    if not text.isascii():
        _encodable(text)
    return text


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MalformedRecord("label_invalid", "the label is NaN or infinite")
    return number


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedRecord("label_invalid", "the label is not valid Unicode") from error


def _csv_rows(text: str) -> list[list[str]]:
    try:
        return list(csv.reader(text.splitlines(keepends=True), strict=True))
    except csv.Error as error:
        raise MalformedRecord("undecodable", "the label is not CSV") from error


def _only_cell(row: list[str]) -> str:
    if len(row) > 1:
        detail = f"a line of {len(row)} values: write the label of each row on its own line"
        raise MalformedRecord("label_invalid", detail)
    return row[0] if row else ""


def _content(document: object) -> object:
    """Return the only value of an object; anything else as it is."""
    if not isinstance(document, dict):
        return document
    if len(document) != 1:
        raise MalformedRecord("label_invalid", f"{type_name(document)}: it must have one key")
    return next(iter(document.values()))
