"""Reads what ``aws sagemaker describe-...`` prints, and says which document is which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from stream.errors import DataError

Json = Mapping[str, Any]
Kind = Literal["schedule", "data quality", "model quality", "capture"]
DESCRIBE: Final = "aws sagemaker describe-monitoring-schedule --monitoring-schedule-name NAME"
_KEYS: Final[Mapping[str, Kind]] = {
    "MonitoringScheduleConfig": "schedule",
    "DataQualityJobInput": "data quality",
    "ModelQualityJobInput": "model quality",
    "DataCaptureConfig": "capture",
    "ProductionVariants": "capture",
}
"""A key of each kind of document."""
_UNSUPPORTED: Final = {
    "ModelBiasJobInput": "a definition of bias monitoring, which driftline does not have",
    "ModelExplainabilityJobInput": (
        "a definition of attribution monitoring, which driftline does not have"
    ),
    "MonitoringScheduleSummaries": f"a list of schedules; describe one of them: {DESCRIBE}",
    "JobDefinitionSummaries": (
        "a list of definitions; describe one of them: aws sagemaker"
        " describe-data-quality-job-definition --job-definition-name NAME"
    ),
    "MonitoringExecutionSummaries": f"a list of executions; describe the schedule: {DESCRIBE}",
    "ProcessingJobName": f"a processing job; describe the schedule: {DESCRIBE}",
    "features": "a file of statistics or constraints: driftline baseline reads the folder it is in",
    "violations": "a report; describe the schedule: " + DESCRIBE,
    "captureData": "a capture; describe the schedule: " + DESCRIBE,
}
"""Keys of documents that users have at hand, and what to do."""


class Document(NamedTuple):
    """One document: its ``kind``, the file that it is in, and its content."""

    kind: Kind
    file: str
    content: Json


def documents_of(text: str, file: str) -> list[Document]:
    """Return the documents in a file: one, several after each other, in a list or under names.

    Raises :class:`~stream.errors.DataError` that says what the file holds instead.

    >>> [d.kind for d in documents_of('{"MonitoringScheduleConfig": {}, "A": 1}', "a.json")]
    ['schedule']
    """
    if not text.strip():
        raise DataError(file, f"is empty: write into it what this prints: {DESCRIBE}")
    values = list(_values(text, file))
    found = [document for value in values for document in _found(value, file)]
    if not found:
        raise DataError(file, _unknown(values))
    return found


def _values(text: str, file: str) -> Iterator[Any]:
    """Yield the JSON values that follow each other in a text."""
    decode = json.JSONDecoder().raw_decode
    start = _next(text, 0)
    while start < len(text):
        try:
            value, end = decode(text, start)
        except json.JSONDecodeError as error:
            found = f"line {error.lineno}: {error.msg}"
            reason = f"is not JSON ({found}); expected what aws prints with --output json"
            raise DataError(file, reason) from None
        except RecursionError:
            raise DataError(file, "is nested too deeply") from None
        yield value
        start = _next(text, end)


def _next(text: str, start: int) -> int:
    """Return the position of the next character that is no blank."""
    return len(text) - len(text[start:].lstrip())


def _found(value: Any, file: str) -> Iterator[Document]:
    """Yield the documents in a value, those of several kinds that were merged into one too."""
    if isinstance(value, list):
        for entry in value:
            yield from _found(entry, file)
    if not isinstance(value, dict):
        return
    kinds = {kind: key for key, kind in _KEYS.items() if isinstance(value.get(key), (dict, list))}
    if kinds:
        yield from (Document(kind, file, value) for kind in kinds)
        return
    for key, reason in _UNSUPPORTED.items():
        if key in value:
            raise DataError(file, f"is {reason}")
    for entry in value.values():
        if isinstance(entry, dict):
            yield from _found(entry, file)


def _unknown(values: Sequence[Any]) -> str:
    value = values[0]
    holds = "no object"
    if isinstance(value, dict):
        names = ", ".join(sorted(map(str, value))[:5])
        holds = f"an object with {names}" if names else "an object without keys"
    advice = f"write into it what this prints: {DESCRIBE}"
    return f"holds {holds}, and nothing that a schedule has: {advice}"
