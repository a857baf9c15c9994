"""Parses JSON text as writers of the field produce it; the definition of what a document is."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Final

import msgspec

from stream.formats.faults import MalformedRecord

BYTE_ORDER_MARK: Final = "\ufeff"
_BLANK: Final = " \t\n\r"
_BLANKS: Final = re.compile(f"[{_BLANK}]*")
_LONGEST_INTEGER: Final = 4300
"""The number of digits of the longest integer that Python parses; longer ones become floats."""
_FAST_JSON: Final = msgspec.json.Decoder()


def load_json(text: str | bytes) -> object:
    """Parse a JSON document by RFC 8259, and ``NaN``, ``Infinity`` and ``-Infinity`` as numbers.

    Python's ``json`` writes these three for floats. A byte order mark at the front is skipped. The
    last value of a repeated key counts. Bytes that are not UTF-8 are an error only when the text
    that contains them is used. Raises :class:`~stream.formats.faults.MalformedRecord`:
    ``undecodable``, or ``several_objects`` for objects that follow each other.
    """
    try:
        return _FAST_JSON.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    text = _text(text)
    try:
        return _SLOW_JSON.decode(text)
    except RecursionError as error:
        raise MalformedRecord("undecodable", "nested too deeply") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip(_BLANK)[:1] == "{" == text[error.pos]:
            raise MalformedRecord("several_objects") from error
        detail = f"{error.msg} at character {error.pos}" if text else "it is empty"
        raise MalformedRecord("undecodable", detail) from error


def load_documents(text: str) -> list[object]:
    """Parse one document, one per line, or objects and lists that follow each other.

    Raises :class:`~stream.formats.faults.MalformedRecord`.
    """
    try:
        return [load_json(text)]
    except MalformedRecord as problem:
        lines = [line for line in text.split("\n") if line.strip(_BLANK)]
        try:
            if len(lines) > 1:
                return [load_json(line) for line in lines]
        except MalformedRecord:
            pass
        documents = list(_consecutive(_text(text), problem))
        if len(documents) < 2:
            raise
        return documents


def _consecutive(text: str, problem: MalformedRecord) -> Iterator[object]:
    """Yield objects and lists that follow each other; raises ``problem`` at anything else."""
    end = _after_blanks(text, 0)
    while end < len(text):
        if text[end] not in "{[":
            raise problem
        try:
            document, end = _SLOW_JSON.raw_decode(text, end)
        except (ValueError, RecursionError) as error:
            raise problem from error
        yield document
        end = _after_blanks(text, end)


def _after_blanks(text: str, start: int) -> int:
    match = _BLANKS.match(text, start)
    return match.end() if match else start


def _text(text: str | bytes) -> str:
    if isinstance(text, bytes):
        if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise MalformedRecord("undecodable", "written in UTF-16")
        text = text.decode("utf-8", "surrogateescape")
    return text.removeprefix(BYTE_ORDER_MARK)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits.lstrip("-")) <= _LONGEST_INTEGER else float(digits)


_SLOW_JSON: Final = json.JSONDecoder(parse_int=_integer)
