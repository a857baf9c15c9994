"""Lines of a batch transform job as records of the format ``sagemaker``."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

import msgspec

from stream.sources.s3.keys import hour_time, partition_of

Side = Literal["input", "output"]
_SIDES: Final[dict[Side, bytes]] = {"output": b"endpointOutput", "input": b"endpointInput"}
_TIME: Final = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:?\d\d)?"
_LAST_COLUMNS: Final = re.compile(
    rb',\s*"?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"?\s*,\s*"?'
    + _TIME.encode()
    + rb'"?\s*$'
)
_LAST_BYTES: Final = 120
"""The bytes at the end of a line in which the id and the time are looked for."""
_MOMENT: Final = re.compile(_TIME)


class Generated(msgspec.Struct, frozen=True, gc=False):
    """What ``GenerateInferenceId`` adds to each JSON object of the output."""

    SageMakerInferenceId: str | None = None
    SageMakerInferenceTime: str | None = None


NOTHING_GENERATED: Final = Generated()
_GENERATED: Final = msgspec.json.Decoder(Generated)


class Chosen(NamedTuple):
    """The lines of an object that are records: the offset and the record of each."""

    starts: list[int]
    values: list[bytes]


class TransformLines:
    """Wraps each line of one side into a record: CSV, or JSON if it begins like an object or list.

    The id and the time are those that ``GenerateInferenceId`` adds, else there is no id, and the
    time is the hour of the manifest. With ``header`` the first line of an object is none. A line
    that is not UTF-8 stays as it is, and the format rejects it.
    """

    def __init__(self, side: Side, header: bool = False) -> None:
        self._head = b'{"captureData":{"' + _SIDES[side] + b'":{"data":'
        self._generated = side == "output"
        self._header = header

    def records(self, key: str, starts: list[int], lines: list[bytes]) -> Chosen:
        """Return the records in lines of an object, ``key`` naming its manifest too.

        >>> wrapped = TransformLines("output")
        >>> key = "out/2026/11/30/03/m.json s3://b/run/a.csv.out"
        >>> wrapped.records(key, [0], [b"0.7"]).values[0].decode()[:63]
        '{"captureData":{"endpointOutput":{"data":"0.7","encoding":"CSV"'
        """
        if self._header and starts and starts[0] == 0:
            starts, lines = starts[1:], lines[1:]
        hour = hour_time(partition_of(key))
        return Chosen(starts, [self._record(line.strip(), hour) for line in lines])

    def _record(self, line: bytes, hour: str) -> bytes:
        is_json = line[:1] in (b"{", b"[")
        event_id, time = "", hour
        if self._generated:
            line, event_id, time = _of_json(line, hour) if is_json else _of_csv(line, hour)
        try:
            data = msgspec.json.encode(line.decode())
        except UnicodeDecodeError:
            return line
        encoding = b',"encoding":"JSON"}}' if is_json else b',"encoding":"CSV"}}'
        metadata = {"eventId": event_id} if event_id else {}
        metadata["inferenceTime"] = time
        return b"".join(
            (self._head, data, encoding, b',"eventMetadata":', msgspec.json.encode(metadata), b"}")
        )


def _of_csv(line: bytes, hour: str) -> tuple[bytes, str, str]:
    """Return a row without the id and the time in its last columns, and both of them."""
    tail = line[-_LAST_BYTES:]
    found = _LAST_COLUMNS.search(tail)
    if found is None:
        return line, "", hour
    rest = line[: len(line) - len(tail) + found.start()]
    event_id, day, time, zone = (part.decode() for part in found.groups(b"Z"))
    return rest, event_id, f"{day}T{time}{zone}"


def _of_json(line: bytes, hour: str) -> tuple[bytes, str, str]:
    """Return a document, and the id and the time in it; other columns are named, so they stay."""
    if b"SageMakerInference" not in line:
        return line, "", hour
    try:
        generated = _GENERATED.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        generated = NOTHING_GENERATED
    moment = _MOMENT.fullmatch(generated.SageMakerInferenceTime or "")
    time = f"{moment[1]}T{moment[2]}{moment[3] or 'Z'}" if moment else hour
    return line, generated.SageMakerInferenceId or "", time
