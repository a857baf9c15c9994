"""The outcomes of a record: the reasons for not counting it, with advice on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ACCEPTED: Final = "accepted"
TOO_LATE: Final = "too_late"
DUPLICATE: Final = "duplicate"
NOT_SAMPLED: Final = "not_sampled"
"""The outcome of a label or a prediction whose id is not in the sample."""
LATE_AFTER_IDLE: Final = "late_after_idle"
CRASHES_READER: Final = "crashes_reader"
"""The reason for a record that repeatedly crashed the process decoding it."""
FAILS_DECODING: Final = "fails_decoding"
"""The reason for a record on which the decoder or the count raised an error of its own."""
SKIPPED_SOURCE: Final = "skipped_source"
"""The reason for a capture whose ``invocationSource`` is not to be counted."""
DROPPED_BY_SCRIPT: Final = "dropped_by_script"
"""The reason for a capture for which the preprocessing script returned no row."""
SCRIPT_FAILED: Final = "script_failed"
"""The reason for a capture on which the preprocessing script raised an error or crashed."""
SCRIPT_TIMED_OUT: Final = "script_timed_out"
"""The reason for a capture on which the preprocessing script did not return in time."""
WITHOUT_LETTER: Final = frozenset({SKIPPED_SOURCE, DROPPED_BY_SCRIPT})
"""Reasons that are no fault of a record, which therefore becomes no dead letter."""

ADVICE: Final[Mapping[str, str]] = {
    "time_missing": (
        "The record has no time at `time.path`, or where the format expects it: correct the path,"
        " or set `time.missing: arrival`"
    ),
    "time_absurd": (
        "The time does not match `time.unit` (iso, s, ms, us, ns), or is before 1971 or after 2099:"
        " the detail of the dead letter names the likely unit"
    ),
    "unknown_model": (
        "The record names a model that is not under `models`: add it there, or correct `model`"
    ),
    "invalid_name": (
        "The name of the model or variant has a control character, is not valid Unicode, or has"
        " more than 256 characters: correct the producer, or `model` and `variant`"
    ),
    "not_an_object": "The record is JSON but not an object: check `format`",
    "undecodable": (
        "The record, or the payload in it, cannot be parsed: check that it is what `format` expects"
        " and is encoded in UTF-8"
    ),
    "several_objects": (
        "The record holds several JSON objects, as Firehose joins them: write a line break after"
        " each (Firehose: `AppendDelimiterToRecord`)"
    ),
    "wrong_type": (
        "A list or an object was found where a value was expected, or the other way round: check"
        " the paths under `format`"
    ),
    "payload_missing": (
        "The record contains neither a request nor a response: check the data capture settings of"
        " the endpoint, or `format` if the record is no capture"
    ),
    "unknown_encoding": "The payload is neither CSV nor JSON, nor BASE64 of one of these",
    "header_row": (
        "The first row of the payload repeats the names of the columns: set `header: true` under"
        " `format`; or pandas took a row of data for them, and counted its equal values (0, 0.1,"
        " 0.2): read the file that is sent with `header=None`"
    ),
    "row_count": (
        "The request and the response have different numbers of rows, or a payload has no rows; of"
        " a label: it has another number of values than its event has rows"
    ),
    "too_few_columns": (
        "The payload has fewer columns than the model: compare it with `outputs` and `inputs`, or"
        " with the columns of the baseline"
    ),
    "too_many_columns": (
        "The payload has more columns than the model: compare it with `outputs` and `inputs`, or"
        " with the columns of the baseline"
    ),
    "id_missing": (
        "The label has no id of its event, or an empty one: correct `labels.format.id`, or the"
        " producer"
    ),
    "id_invalid": "The id of the label is neither text nor a whole number: correct the producer",
    "id_too_long": (
        "The id of the label is longer than 1,024 bytes: check that `labels.format.id` is the path"
        " of an id"
    ),
    "label_missing": (
        "The record has an id but no label: correct `labels.format.label`, or send the record when"
        " the label is known"
    ),
    "label_invalid": (
        "The label is NaN, infinite, an object, a list in a list, or too long a text: send a"
        " number, a text, true or false, or a list with one of these for each row of the event"
    ),
    "too_many_rows": "The record has labels for more than 65,535 rows: send smaller requests",
    "wrong_label_type": (
        "The label is a text, and the model predicts a number: correct the producer, or `problem`"
    ),
    "unknown_class": (
        "The class is none of the model's: correct the producer, or `positive` and `negative` under"
        " `quality`, or make its baseline anew if the classes have changed"
    ),
    "too_many_classes": (
        "The labels, or the answers of the models, have more than 32,000 different texts: check"
        " that `labels.format.label` and `prediction` under `quality` name classes"
    ),
    "model_removed": (
        "The prediction came before the quality of its model was changed or removed: no action is"
        " needed"
    ),
    "tombstone": "The record has no value, as is usual in compacted topics: no action is needed",
    SKIPPED_SOURCE: (
        "The `invocationSource` of the capture is in `skip` under `format`, as that of shadow"
        " traffic is by default: no action is needed, or set `skip: []`"
    ),
    DROPPED_BY_SCRIPT: (
        "The script that `preprocess` names returned `[]` for the capture: no action is needed"
    ),
    SCRIPT_FAILED: (
        "The script that `preprocess` names raised an error, or ended its process: correct it at"
        " the line that the detail of the dead letter names"
    ),
    SCRIPT_TIMED_OUT: (
        "The script that `preprocess` names took longer than `preprocess_limit`: make it faster, or"
        " increase the limit; a script should not wait for a network"
    ),
    "script_result": (
        "The script that `preprocess` names returned something that is no row: return a flat dict,"
        " a list of these, or `[]` for a capture that is not to be counted"
    ),
    FAILS_DECODING: (
        "driftline failed on this record with an error of its own: keep the record and report a bug"
    ),
    CRASHES_READER: (
        "Reader processes repeatedly crashed while decoding this record: keep the record and report"
        " a bug"
    ),
    TOO_LATE: (
        "The event is older than `grace` and `lateness` allow, measured from the newest event read"
        " before it from the same partition: increase them if such delays are expected"
    ),
    LATE_AFTER_IDLE: (
        "The event came after the clock had closed its window, because there had been nothing to"
        " read for longer than `idle`: if events come in portions, increase `idle` beyond the"
        " pause between them; to count old files, read them with another `job` and state"
    ),
    DUPLICATE: "An event with the same id was already counted within `dedupe.horizon`",
}
"""The meaning of each reason, and advice."""
UNTAKEN_ADVICE: Final[Mapping[str, str]] = {
    "without_id": (
        "The event has no id by which a label finds it: correct `format.inference_id`, `format.id`"
        " or `labels.join`, or the producer"
    ),
    "unusable_prediction": (
        "The event has no answer that can be read in the columns that `prediction` and"
        " `probability` under `quality` name: correct them, or the column's type in the baseline"
    ),
    "unknown_class": (
        "The answer is none of the model's classes: correct `positive` and `negative` under"
        " `quality`, or the producer"
    ),
    "too_many_rows": "The event has more than 65,535 rows: send smaller requests",
    "too_many_classes": ADVICE["too_many_classes"],
    "too_many_variants": (
        "The models have more than 65,000 variants in all: correct `variant` if its values are not"
        " variants"
    ),
    "window_final": (
        "The window was reported as final when the join began anew: no action is needed"
    ),
}
"""Why the prediction of an event does not wait for a label, and advice."""
EXPECTED: Final = frozenset(
    {DUPLICATE, SKIPPED_SOURCE, DROPPED_BY_SCRIPT, "tombstone", "model_removed"}
)
"""Reasons that need no action."""


def foremost(counts: Mapping[str, int]) -> str:
    """Return the most frequent reason of those that need an action; else the most frequent one.

    >>> foremost({"duplicate": 8, "undecodable": 5}), foremost({"duplicate": 8}), foremost({})
    ('undecodable', 'duplicate', '')
    """
    return max(counts, key=lambda reason: (reason not in EXPECTED, counts[reason]), default="")


def advice(counts: Mapping[str, int]) -> str:
    """Return the advice for the foremost of these reasons; empty if there is none.

    >>> advice({"duplicate": 3, "tombstone": 5})
    'The record has no value, as is usual in compacted topics: no action is needed'
    """
    return ADVICE.get(foremost(counts), "")
