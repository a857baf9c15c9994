"""Why a record is not counted, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADVICE: Final[Mapping[str, str]] = {
    "time_missing": (
        "There is no time where `time.path` says, or where the format has it: correct it, or set"
        " `time.missing: arrival`"
    ),
    "time_absurd": (
        "The time is not what `time.unit` says (iso, s, ms, us, ns), or lies before 1970-01-02 or"
        " after 2099"
    ),
    "unknown_model": (
        "The record names a model that is not under `models`: add it there, or correct `model`"
    ),
    "not_an_object": "The record is JSON, but no object: is it what `format` says?",
    "undecodable": (
        "The record, or the payload in it, cannot be parsed: is it what `format` says, and written"
        " in UTF-8?"
    ),
    "wrong_type": (
        "A list or an object lies where a value should be, or the other way round: compare the"
        " paths under `format`"
    ),
    "payload_missing": (
        "The capture holds neither request nor answer: does the endpoint capture them?"
    ),
    "unknown_encoding": "The payload is neither CSV nor JSON, nor BASE64 of these",
    "row_count": "Request and answer have different numbers of rows, or a payload has none",
    "too_few_columns": (
        "The payload has fewer columns than the model: compare `outputs` and `inputs`, or the"
        " columns of the baseline"
    ),
    "too_many_columns": (
        "The payload has more columns than the model: compare `outputs` and `inputs`, or the"
        " columns of the baseline"
    ),
    "tombstone": "The record has no value: topics that are compacted have such",
    "crashes_reader": "Readers died at this record again and again: keep it, and report it",
    "too_late": (
        "The event is older than `grace` and `lateness` allow: raise them, if that is to be"
        " expected"
    ),
    "late_after_idle": (
        "The event was late, and its partition had been quiet for longer than `idle`: raise it"
    ),
    "duplicate": "An event with the same id was counted within `dedupe.horizon`",
}
"""What each reason means, and what to do about it."""


def advice(counts: Mapping[str, int]) -> str:
    """What to do about the most frequent of these reasons.

    >>> advice({"duplicate": 3, "tombstone": 5})
    'The record has no value: topics that are compacted have such'
    """
    return ADVICE.get(max(counts, key=counts.__getitem__, default=""), "")
