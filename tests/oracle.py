"""The oracle, a slow and obvious counter: the definition of what driftline counts.

``json``, ``csv`` and plain loops, one record, one row, one cell at a time; nothing of the fast path
is used. It returns the rejected raw records with their reasons, and the counts of every pane.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NoReturn

from detectors.profiles.layout import (
    BOOLEAN,
    FRACTIONAL,
    HEAD,
    INTEGRAL,
    MISSING,
    NEG_INF,
    STRING,
    TAIL,
    Feature,
    Layout,
)
from stream.formats.base import IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker

csv.field_size_limit(sys.maxsize)


class Record(NamedTuple):
    """One record of a log, undecoded. ``arrival_ms`` is -1 if the log does not record it."""

    partition: str
    value: bytes | None
    arrival_ms: int = -1
    origin: str = ""
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Model(NamedTuple):
    """A monitored model: columns of the response and of the request, and their layout."""

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    layout: Layout


class Clocking(NamedTuple):
    """Pane length, grace, lateness, the time by which an event may be ahead of its arrival, and the
    clock, which stands in for an arrival that the log does not state or cannot have measured.
    """

    pane_ms: int
    grace_ms: int
    lateness_ms: int
    tolerance_ms: int
    clock_ms: int


@dataclass
class Pane:
    """Counts of a model in a pane, in the order of its layout.

    ``numbers[i]`` holds the finite numbers of feature ``i``."""

    layout: Layout
    rows: int = 0
    counts: list[int] = field(default_factory=list)
    numbers: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = [0] * self.layout.size
        self.numbers = [[] for _ in self.layout.features]

    def add(self, row: Mapping[str, object]) -> None:
        """Count a row; a feature that the row does not have is missing."""
        self.rows += 1
        for i, feature in enumerate(self.layout.features):
            for slot in slots_of(row.get(feature.name), feature):
                self.counts[int(self.layout.starts[i]) + slot] += 1
            number = number_of(row.get(feature.name)) if feature.numeric else None
            if number is not None and math.isfinite(number):
                self.numbers[i].append(number)

    def sums(self, i: int) -> tuple[float, float]:
        """Sum of the distances of feature ``i`` from its center, and of their squares."""
        offsets = [x - self.layout.features[i].center for x in self.numbers[i]]
        return math.fsum(offsets), math.fsum(offset * offset for offset in offsets)


@dataclass
class Counted:
    """The result of counting records."""

    panes: dict[tuple[str, str, int], Pane] = field(default_factory=dict)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    lengths: dict[str, Counter[str]] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    ids: dict[int, tuple[str | None, str | None]] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    width_mismatches: dict[tuple[str, str, int], Counter[str]] = field(default_factory=dict)
    future: int = 0

    def note(self, record: Record, outcome: str) -> None:
        """Record the outcome of a record, with its length in bytes."""
        self.outcomes.setdefault(record.partition, Counter())[outcome] += 1
        self.lengths.setdefault(record.partition, Counter())[outcome] += len(record.value or b"")


YEAR_2000_MS = 946_684_800_000


class Rejected(Exception):
    """A record that is not counted; the message is the reason."""


class Event(NamedTuple):
    """A record whose time is known. ``content()`` returns its ids and rows, or rejects it."""

    model: str
    variant: str
    time_ms: int
    content: Callable[[], tuple[tuple[str | None, str | None], list[dict[str, object]]]]


def count(
    records: Sequence[Record],
    models: Mapping[str, Model],
    form: Sagemaker | Json,
    origin: IdentityConfig,
    clocking: Clocking,
) -> Counted:
    """Count records in the order of their logs.

    A record is too late if its pane's end plus grace and lateness is at or before the partition's
    mark, its highest event time so far. A record whose time is known advances the mark, even if it
    is rejected for its payload or for an unknown model. A record dated ahead of its arrival counts
    at its arrival, or at the mark if that is later, and does not advance the mark. If its arrival
    is before 2000 or after the clock, it counts at the mark if it is dated ahead of the clock.
    """
    counted = Counted()
    read = read_capture if isinstance(form, Sagemaker) else read_json
    for i, record in enumerate(records):
        try:
            event = read(record, models, form, origin)  # type: ignore[arg-type]
        except Rejected as reason:
            counted.rejected[i] = str(reason)
            counted.note(record, str(reason))
            continue
        time_ms = event.time_ms
        mark = counted.marks.get(record.partition)
        stated = YEAR_2000_MS <= record.arrival_ms <= clocking.clock_ms
        latest_ms = record.arrival_ms if stated else clocking.clock_ms
        if time_ms > latest_ms + clocking.tolerance_ms:
            if mark is not None:
                latest_ms = max(record.arrival_ms, mark) if stated else mark
            time_ms = latest_ms
            counted.future = counted.future + 1
        else:
            counted.marks[record.partition] = max(
                time_ms, counted.marks.get(record.partition, time_ms)
            )
        mark = counted.marks.get(record.partition)
        pane_ms = time_ms // clocking.pane_ms * clocking.pane_ms
        late = (
            mark is not None
            and pane_ms + clocking.pane_ms + clocking.grace_ms + clocking.lateness_ms <= mark
        )
        pane_key = event.model, event.variant, pane_ms
        try:
            counted.ids[i], rows = event.content()
        except Rejected as reason:
            counted.rejected[i] = str(reason)
            counted.note(record, str(reason))
            if "columns" in str(reason) and not late:
                counted.width_mismatches.setdefault(pane_key, Counter())[str(reason)] += 1
            continue
        counted.note(record, "too_late" if late else "accepted")
        if not late:
            pane = counted.panes.setdefault(pane_key, Pane(models[event.model].layout))
            for row in rows:
                pane.add(row)
    return counted


# --- cells ---------------------------------------------------------------------------------------


def number_of(cell: object) -> float | None:
    """The number in a cell of a numeric feature, or ``None``."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, (int, float)):
        try:
            return float(cell)
        except OverflowError:
            return math.inf if cell > 0 else -math.inf
    if not isinstance(cell, str):
        return None
    text = cell.strip(" \t")
    if matches(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text) or matches(r"[-+]?inf(inity)?", text):
        return float(text)
    return math.nan if matches(r"[-+]?nan(\([a-z0-9_]*\))?", text) else None


def slots_of(cell: object, feature: Feature) -> list[int]:
    """The slots that count a cell: always one of the eight types, and a bin if it is a value."""
    if cell is None or cell == "":
        return [MISSING]
    return number_slots(cell, feature) if feature.numeric else text_slots(cell, feature)


def number_slots(cell: object, feature: Feature) -> list[int]:
    number = number_of(cell)
    if number is None:
        return [BOOLEAN if cell in (True, False, "true", "false") else STRING]
    if math.isnan(number):
        return [HEAD + feature.bins + TAIL - 1]
    if math.isinf(number):
        return [HEAD + feature.bins if number > 0 else NEG_INF]
    if feature.type == "Integral":
        whole = isinstance(cell, int) or (
            isinstance(cell, str) and matches(r"[-+]?\d+", cell.strip(" \t"))
        )
    else:
        whole = number == math.floor(number)
    bin_of = sum(edge <= number for edge in feature.edges)
    return [INTEGRAL if whole else FRACTIONAL, HEAD + bin_of]


def text_slots(cell: object, feature: Feature) -> list[int]:
    text = word_of(cell)
    if text in feature.vocabulary:
        bin_of = feature.vocabulary.index(text)
    else:
        bin_of = len(feature.vocabulary) + hash_of(text)
    return [written_type(text), HEAD + bin_of]


def word_of(cell: object) -> str:
    """The text in a cell of a text feature."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)


def written_type(text: str) -> int:
    """The written type by the patterns of SageMaker Model Monitor."""
    if matches("true|false", text, 0):
        return BOOLEAN
    if matches(r"[-+]? ?\d+", text):
        return INTEGRAL
    if matches(r"[-+]? ?\d+(\.\d+|(\.\d+)?e[-+]?\d+)", text):
        return FRACTIONAL
    return STRING


def hash_of(text: str) -> int:
    """The bin of an unseen value: a polynomial over its bytes, mixed, the top six of 64 bits."""
    base = 0x9E3779B97F4A7C15
    mix = 0xBF58476D1CE4E5B9
    modulus = 2**64
    total = (
        sum((byte + 1) * pow(base, j + 1, modulus) for j, byte in enumerate(text.encode()))
        % modulus
    )
    return ((total ^ (total >> 32)) * mix % modulus) >> 58


def matches(pattern: str, text: str, flags: int = re.IGNORECASE) -> bool:
    return re.fullmatch(pattern, text, flags | re.ASCII) is not None


# --- records -------------------------------------------------------------------------------------


def document_of(value: bytes | None) -> dict[str, object]:
    if value is None:
        raise Rejected("tombstone")
    document = parsed(value.decode("utf-8", "surrogateescape"))
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    return document


def parsed(text: str) -> object:
    """RFC 8259: ``NaN`` and ``Infinity`` are not numbers.

    Integers of more than 4,300 digits are infinite."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def whole(digits: str) -> int | float:
        return int(digits) if len(digits.lstrip("-")) <= 4300 else float(digits)

    try:
        return json.loads(text, parse_constant=refuse, parse_int=whole)
    except (ValueError, RecursionError):
        raise Rejected("undecodable") from None


def at(document: object, path: str) -> object:
    """The value at a dotted path; an empty path is the document itself."""
    for part in path.split(".") if path else []:
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def named(row: dict[str, object], name: str, paths: Mapping[str, str]) -> object:
    """A column of an object: at its path if it has one, else by its name, or its name as a path."""
    if name in paths:
        return at(row, paths[name])
    return row[name] if name in row else at(row, name)


def text_at(document: object, path: str) -> str | None:
    """Text at a path, ``None`` if absent; rejects other values, and text that is not UTF-8."""
    value = at(document, path)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejected("wrong_type")
    return utf8(value)


def utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Rejected("undecodable") from None
    return text


def time_of(document: object, record: Record, time: TimeConfig, default: str) -> int:
    value = at(document, time.path or default)
    if value is None:
        if time.missing == "arrival" and record.arrival_ms >= YEAR_2000_MS:
            return record.arrival_ms
        raise Rejected("time_missing")
    ms = iso_ms(value) if time.unit == "iso" else unit_ms(value, time.unit)
    if ms is None or not 86_400_000 <= ms < 4_102_444_800_000:
        raise Rejected("time_absurd")
    return ms


def iso_ms(value: object) -> int | None:
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def unit_ms(value: object, unit: str) -> int | None:
    ticks = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    if isinstance(value, str) and matches(r"[-+]?\d{1,25}", value):
        value = int(value)
    elif isinstance(value, str) and value == value.strip(" \t"):
        value = number_of(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value * 1000 // ticks if isinstance(value, int) else math.floor(value * 1000 / ticks)


def name_of(where: NameConfig, document: object, record: Record) -> str | None:
    if where.source == "const":
        return where.name
    if where.source == "topic":
        return record.origin
    if where.source == "file":
        match = re.search(where.name, record.origin)
        return match.group(1) if match else None
    if where.source == "path":
        name = at(document, where.name)
        return name if isinstance(name, str) else None
    value = record.key if where.source == "key" else dict(record.headers).get(where.name)
    try:
        return value.decode() if value is not None else None
    except UnicodeDecodeError:
        return None


def model_of(
    document: object, record: Record, origin: IdentityConfig, models: Mapping[str, Model]
) -> tuple[str, str] | None:
    model = name_of(origin.model, document, record)
    variant = name_of(origin.variant, document, record)
    return None if model is None or variant is None or model not in models else (model, variant)


def unknown(time_ms: int) -> Event:
    """An event of a model that is not monitored: rejected, but with a time."""

    def content() -> NoReturn:
        raise Rejected("unknown_model")

    return Event("", "", time_ms, content)


# --- format json ---------------------------------------------------------------------------------


def read_json(
    record: Record, models: Mapping[str, Model], form: Json, origin: IdentityConfig
) -> Event:
    """An event from each record, with a cell at each path."""
    document = document_of(record.value)
    time_ms = time_of(document, record, origin.time, "time")
    key = model_of(document, record, origin, models)
    if key is None:
        return unknown(time_ms)
    model, variant = key

    def content() -> tuple[tuple[str | None, str | None], list[dict[str, object]]]:
        ids = (json_id(document, form.id), json_id(document, form.inference_id))
        row = json_cells(document, models[model].outputs, form.prediction, alone=True)
        return ids, [row | json_cells(document, models[model].inputs, form.features, alone=False)]

    return Event(model, variant, time_ms, content)


def json_id(document: object, path: str) -> str | None:
    value = at(document, path) if path else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Rejected("wrong_type")
    return utf8(str(value))


def json_cells(
    document: object, names: Sequence[str], where: str | dict[str, str], alone: bool
) -> dict[str, object]:
    """The cells of the named columns.

    ``where`` is a path to the object that holds the columns, or to the cell itself if it is the
    only column of the response; or a path for each column that is not under its own name."""
    if isinstance(where, str) and where and alone and len(names) == 1:
        return {names[0]: cell_of(at(document, where))}
    row = at(document, where) if isinstance(where, str) else document
    if row is not None and not isinstance(row, dict):
        raise Rejected("wrong_type")
    paths = where if isinstance(where, dict) else {}
    return {name: cell_of(named(row or {}, name, paths)) for name in names}


def cell_of(value: object) -> object:
    if isinstance(value, (list, dict)):
        raise Rejected("wrong_type")
    return utf8(value) if isinstance(value, str) else value


# --- format sagemaker ----------------------------------------------------------------------------


def read_capture(
    record: Record, models: Mapping[str, Model], form: Sagemaker, origin: IdentityConfig
) -> Event:
    """A capture line: two sides, each with its own encoding, and equally many rows."""
    document = document_of(record.value)
    ids = check_envelope(document)
    time_ms = time_of(document, record, origin.time, "eventMetadata.inferenceTime")
    key = model_of(document, record, origin, models)
    if key is None:
        return unknown(time_ms)
    model, variant = key
    return Event(
        model, variant, time_ms, lambda: (ids, capture_rows(document, models[model], form))
    )


def capture_rows(document: object, model: Model, form: Sagemaker) -> list[dict[str, object]]:
    sides = [
        ("endpointOutput", model.outputs, form.output_rows),
        ("endpointInput", model.inputs, form.input_rows),
    ]
    captured = [
        (at(document, f"captureData.{side}"), names, rows) for side, names, rows in sides if names
    ]
    captured = [side for side in captured if side[0] is not None]
    if not captured:
        raise Rejected("payload_missing")
    texts = [(plain_text(payload), names, rows) for payload, names, rows in captured]
    tables = [rows_in(*text, names, rows, form) for text, names, rows in texts]
    if len({len(table) for table in tables}) != 1:
        raise Rejected("row_count")
    return [
        {name: cell for part in parts for name, cell in part.items()}
        for parts in zip(*tables, strict=True)
    ]


def check_envelope(document: dict[str, object]) -> tuple[str | None, str | None]:
    """Both ids; an envelope is rejected if a field that is read has the wrong type."""
    for part in ("captureData", "eventMetadata"):
        if not isinstance(document.get(part), (dict, type(None))):
            raise Rejected("wrong_type")
    for side in ("endpointOutput", "endpointInput"):
        payload = at(document, f"captureData.{side}")
        if payload is not None:
            if not isinstance(payload, dict) or text_at(payload, "data") is None:
                raise Rejected("wrong_type")
            text_at(payload, "encoding")
    return text_at(document, "eventMetadata.eventId"), text_at(
        document, "eventMetadata.inferenceId"
    )


def plain_text(payload: object) -> tuple[str, str]:
    """The text of a payload, and whether it is CSV or JSON."""
    text, encoding, content_type = (
        at(payload, key) for key in ("data", "encoding", "observedContentType")
    )
    assert isinstance(text, str)
    if encoding in ("CSV", "JSON"):
        return text, str(encoding)
    kind = content_type.lower() if isinstance(content_type, str) else ""
    if encoding != "BASE64" or not ("json" in kind or "csv" in kind):
        raise Rejected("unknown_encoding")
    try:
        return base64.b64decode(text, validate=True).decode(), "JSON" if "json" in kind else "CSV"
    except ValueError:
        raise Rejected("undecodable") from None


def rows_in(
    text: str, kind: str, names: Sequence[str], path: str, form: Sagemaker
) -> list[dict[str, object]]:
    """The rows of a side, each with its columns by name."""
    if kind == "CSV":
        rows = csv_rows(text, names, form.header)
    else:
        rows = [
            row
            for document in documents(text)
            for row in json_rows(at(document, path), names, form.columns)
        ]
    if not rows:
        raise Rejected("row_count")
    return rows


def csv_rows(text: str, names: Sequence[str], header: bool) -> list[dict[str, object]]:
    """Rows as Python's csv module reads them; an empty line is a row with one empty cell."""
    try:
        lines = [line or [""] for line in csv.reader(io.StringIO(text, newline=""))] or [[""]]
    except csv.Error:
        raise Rejected("undecodable") from None
    titles = lines.pop(0) if header else list(names)
    for line in lines:
        if len(line) != len(titles):
            raise Rejected("too_few_columns" if len(line) < len(titles) else "too_many_columns")
    rows = [dict(zip(titles, line, strict=True)) for line in lines]
    return [{name: row.get(name) for name in names} for row in rows]


def documents(text: str) -> list[object]:
    """One JSON document, or one per line."""
    try:
        return [parsed(text)]
    except Rejected:
        lines = [line for line in text.split("\n") if line.strip(" \t\r")]
        if len(lines) < 2:
            raise
        return [parsed(line) for line in lines]


def json_rows(
    payload: object, names: Sequence[str], paths: dict[str, str]
) -> list[dict[str, object]]:
    """Rows of a JSON payload.

    A list of lists or objects has a row each. Any other list is one row, or a row for each entry if
    the side has a single column."""
    entries = payload if isinstance(payload, list) else [payload]
    nested = [isinstance(entry, (list, dict)) for entry in entries]
    if any(nested) and not all(nested):
        raise Rejected("wrong_type")
    if not any(nested):
        entries = [[entry] for entry in entries] if len(names) == 1 else [entries]
    if payload == []:
        entries = []
    return [json_row(entry, names, paths) for entry in entries]


def json_row(entry: object, names: Sequence[str], paths: dict[str, str]) -> dict[str, object]:
    if isinstance(entry, dict):
        return {name: cell_of(named(entry, name, paths)) for name in names}
    assert isinstance(entry, list)
    if len(entry) != len(names):
        raise Rejected("too_few_columns" if len(entry) < len(names) else "too_many_columns")
    return {name: cell_of(cell) for name, cell in zip(names, entry, strict=True)}
