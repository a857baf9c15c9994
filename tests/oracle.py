"""The oracle, a slow and obvious counter: the definition of what driftline counts.

``json``, ``csv`` and plain loops, one record, one row, one cell at a time; nothing of the fast path
is used. It returns the rejected raw records with their reasons, and the counts of every pane.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NoReturn

import msgspec

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
from tests.oracle_rows import (
    Rejected,
    at,
    cell_of,
    matches,
    named,
    number_of,
    parsed,
    plain_text,
    rows_in,
    utf8,
)


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

    ``numbers[i]`` holds the finite numbers of feature ``i``, and ``values[i]`` counts its distinct
    values: finite numbers, or texts as they count. ``pairs`` counts the rows of the levels ``a`` of
    feature ``i`` and ``b`` of a later feature ``j``, as ``(i, a, j, b)``."""

    layout: Layout
    rows: int = 0
    counts: list[int] = field(default_factory=list)
    numbers: list[list[float]] = field(default_factory=list)
    values: list[Counter[float | str]] = field(default_factory=list)
    pairs: Counter[tuple[int, int, int, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.counts = [0] * self.layout.size
        self.numbers = [[] for _ in self.layout.features]
        self.values = [Counter() for _ in self.layout.features]

    def add(self, row: Mapping[str, object]) -> None:
        """Count a row; a feature that the row does not have is missing."""
        self.rows += 1
        levels: dict[int, int] = {}
        for i, feature in enumerate(self.layout.features):
            cell = read_as(row.get(feature.name), feature)
            level = level_of(cell, feature)
            for j, earlier in levels.items():
                if level is not None:
                    self.pairs[j, earlier, i, level] += 1
            if level is not None:
                levels[i] = level
            for slot in slots_of(cell, feature):
                self.counts[int(self.layout.starts[i]) + slot] += 1
            number = number_of(cell) if feature.numeric else None
            if number is not None and math.isfinite(number):
                self.numbers[i].append(number)
                self.values[i][number] += 1
            elif not feature.numeric and slots_of(cell, feature) != [MISSING]:
                self.values[i][word_of(cell)] += 1

    def sums(self, i: int) -> tuple[float, float]:
        """Sum of the distances of feature ``i`` from its center, and of their squares."""
        offsets = [x - self.layout.features[i].center for x in self.numbers[i]]
        return math.fsum(offsets), math.fsum(offset * offset for offset in offsets)


class Accepted(NamedTuple):
    """An accepted event: the index of its record, its pane, event and inference id, and rows."""

    record: int
    model: str
    variant: str
    pane_ms: int
    ids: tuple[str | None, str | None]
    rows: list[dict[str, object]]


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
    accepted: list[Accepted] = field(default_factory=list)

    def note(self, record: Record, outcome: str) -> None:
        """Record the outcome of a record, with its length in bytes."""
        self.outcomes.setdefault(record.partition, Counter())[outcome] += 1
        self.lengths.setdefault(record.partition, Counter())[outcome] += len(record.value or b"")


YEAR_2000_MS = 946_684_800_000


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
            counted.accepted.append(Accepted(i, *pane_key, counted.ids[i], rows))
            pane = counted.panes.setdefault(pane_key, Pane(models[event.model].layout))
            for row in rows:
                pane.add(row)
    return counted


# --- cells ---------------------------------------------------------------------------------------


def slots_of(cell: object, feature: Feature) -> list[int]:
    """The slots that count a cell: always one of the eight types, and a bin if it is a value.

    NaN, which pandas writes for missing text, is missing in a text feature."""
    if cell is None or cell == "" or (not feature.numeric and cell != cell):
        return [MISSING]
    return number_slots(cell, feature) if feature.numeric else text_slots(cell, feature)


def level_of(cell: object, feature: Feature) -> int | None:
    """The level of a cell among the levels that pairs are counted by; ``None`` without one."""
    if isinstance(feature.joint, msgspec.UnsetType):
        return None
    if feature.numeric:
        number = number_of(cell)
        if number is None or not math.isfinite(number):
            return None
        return sum(number >= cut for cut in feature.joint.cuts)
    if slots_of(cell, feature) == [MISSING]:
        return None
    word = word_of(cell)
    if word in feature.vocabulary:
        return feature.joint.of_words[feature.vocabulary.index(word)]
    return feature.joint.of_others


TRUTH = {"true": True, "True": True, "TRUE": True, "1": True, "1.0": True}
TRUTH |= dict.fromkeys(
    ["t", "T", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON", "WAHR", "VRAI", "VERO"], True
)
TRUTH |= dict.fromkeys(
    ["f", "F", "no", "No", "NO", "n", "N", "off", "Off", "OFF", "FALSCH", "FAUX", "FALSO"], False
)
TRUTH |= {"false": False, "False": False, "FALSE": False, "0": False, "0.0": False}


def is_same(marker: float | None, number: float | None) -> bool:
    """Whether a marker is this number; NaN is NaN."""
    if marker is None or number is None:
        return False
    return marker == number or (math.isnan(marker) and math.isnan(number))


def read_as(cell: object, feature: Feature) -> object:
    """The cell as the feature's reading has it: ``None`` for a missing marker, blanks removed.

    Booleans are 1 and 0 in a numeric feature. In a text feature they are ``true`` and ``false`` if
    its vocabulary has the one that is meant. A feature of 0.1.0 has no reading."""
    if isinstance(feature.reading, msgspec.UnsetType) or cell is None:
        return cell
    text = (cell if isinstance(cell, str) else word_of(cell)).strip(" \t\r\n")
    markers = [marker.strip(" \t\r\n") for marker in feature.reading.missing]
    if feature.numeric and number_of(cell) is not None:
        return None if any(is_same(number_of(m), number_of(cell)) for m in markers) else cell
    if text in ("", *markers):
        return None
    if feature.numeric:
        return int(TRUTH[text]) if feature.reading.booleans and text in TRUTH else cell
    meant = word_of(TRUTH[text]) if feature.reading.booleans and text in TRUTH else text
    return meant if meant in feature.vocabulary else text


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
        is_rare = hash_of(text) >> 32 in rare_keys(feature)
        bin_of = len(feature.vocabulary) + (hash_of(text) >> 58)
        if is_rare:
            bin_of = bin_of + 64 if feature.rare_bins == 64 else len(feature.vocabulary) + 64
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
    """The 64-bit hash of a value that is not in the vocabulary: a polynomial over its bytes, mixed.

    Its upper 32 bits tell whether it is a rare value, its upper six are its bin."""
    base = 0x9E3779B97F4A7C15
    mix = 0xBF58476D1CE4E5B9
    modulus = 2**64
    total = (
        sum((byte + 1) * pow(base, j + 1, modulus) for j, byte in enumerate(text.encode()))
        % modulus
    )
    return (total ^ (total >> 32)) * mix % modulus


def rare_keys(feature: Feature) -> set[int]:
    """The upper halves of the hashes of the rare values: 4 bytes each, the lowest byte first."""
    if isinstance(feature.rare, msgspec.UnsetType):
        return set()
    keys = feature.rare.keys
    return {int.from_bytes(keys[k : k + 4], "little") for k in range(0, len(keys), 4)}


# --- records -------------------------------------------------------------------------------------


def document_of(value: bytes | None) -> dict[str, object]:
    if value is None:
        raise Rejected("tombstone")
    if value[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Rejected("undecodable")  # UTF-16
    document = parsed(value.decode("utf-8", "surrogateescape"))
    if not isinstance(document, dict):
        raise Rejected("not_an_object")
    return document


def text_at(document: object, path: str) -> str | None:
    """Text at a path, ``None`` if absent; rejects other values, and text that is not UTF-8."""
    value = at(document, path)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejected("wrong_type")
    return utf8(value)


def time_of(document: object, record: Record, time: TimeConfig, default: str) -> int:
    value = at(document, time.path or default)
    if value is None:
        if time.missing == "arrival" and record.arrival_ms >= YEAR_2000_MS:
            return record.arrival_ms
        raise Rejected("time_missing")
    ms = iso_ms(value) if time.unit == "iso" else unit_ms(value, time.unit)
    if ms is None or not 31_536_000_000 <= ms < 4_102_444_800_000:
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
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        return value * 1000 // ticks
    return math.floor(value * 1000 / ticks) if math.isfinite(value * 1000) else None


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
    return None if value is None else value.decode("utf-8", "surrogateescape")


def model_of(
    document: object, record: Record, origin: IdentityConfig, models: Mapping[str, Model]
) -> tuple[str, str] | str:
    """Model and variant of a record, or the reason for which it is rejected."""
    model = name_of(origin.model, document, record)
    variant = name_of(origin.variant, document, record)
    for name in (model or "", variant or ""):
        odd = [c for c in name if ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000]
        if odd or len(name) > 256:
            return "invalid_name"
    return "unknown_model" if variant is None or model not in models else (str(model), variant)


def rejected(time_ms: int, reason: str) -> Event:
    """An event that is rejected, but has a time."""

    def content() -> NoReturn:
        raise Rejected(reason)

    return Event("", "", time_ms, content)


# --- format json ---------------------------------------------------------------------------------


def read_json(
    record: Record, models: Mapping[str, Model], form: Json, origin: IdentityConfig
) -> Event:
    """An event from each record, with a cell at each path."""
    document = document_of(record.value)
    time_ms = time_of(document, record, origin.time, "time")
    key = model_of(document, record, origin, models)
    if isinstance(key, str):
        return rejected(time_ms, key)
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


# --- format sagemaker ----------------------------------------------------------------------------


def read_capture(
    record: Record, models: Mapping[str, Model], form: Sagemaker, origin: IdentityConfig
) -> Event:
    """A capture line: two sides, each with its own encoding, and equally many rows."""
    document = document_of(record.value)
    ids = check_envelope(document)
    time_ms = time_of(document, record, origin.time, "eventMetadata.inferenceTime")
    source = at(document, "eventMetadata.invocationSource")
    if isinstance(source, str) and source in form.skip:
        return rejected(time_ms, "skipped_source")
    key = model_of(document, record, origin, models)
    if isinstance(key, str):
        return rejected(time_ms, key)
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
