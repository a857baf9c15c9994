"""Strategies for capture lines, JSON events, and bytes that arrive instead of them."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from detectors.profiles.joint_levels import JointLevels
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.reading import CellReading
from detectors.profiles.vocabulary_choice import rare_values

NASTY = [
    '"',
    "\r",
    "\n",
    ",",
    "\x00",
    "\ufeff",
    " ",
    "\t",
    "'",
    "\\",
    "é",
    "٣",
    "０",
    "\u2028",
    "\x0b",
    "0",
    "x",
    "a",
]
NUMBERS = [
    "7",
    "7.0",
    "-7",
    "+7",
    "-",
    "007",
    "0",
    "-0",
    "-0.0",
    ".5",
    "5.",
    ".",
    "1e3",
    "1E-3",
    "1e",
    "1e999",
    "-1e999",
    "1e-999",
    "nan",
    "NaN",
    "-nan",
    "nan(1)",
    "nan(",
    "inf",
    "-inf",
    "+Infinity",
    "INF",
    "infinit",
    "0x1F",
    "0X1f",
    "x0x",
    "1_000",
    "9223372036854775807",
    "9223372036854775808",
    "123456789012345678901234567890",
    "true",
    "false",
    "True",
    "2.5",
    "3",
    "4",
    "12.75",
    "100",
    "-1.5",
    "1e5",
    "abc",
    "null",
    "NULL",
    "N/A",
    "NA",
    "TRUE",
    "False",
    "Yes",
    "f",
    "-999",
    "-999.0",
]
SPACED = [
    " 7",
    "7 ",
    "\t7.5",
    " ",
    "  ",
    "- 7",
    "+ 7",
    " true",
    "\u00a07",
    "7\x00",
    "1" * 400,
    "0" * 30 + "7",
]
numbers = st.one_of(
    st.sampled_from(["7", "3", "2.5", "-1.5", "0.25", "12", "100", "4"]),
    st.integers(-20, 20).map(str),
    st.floats().map(repr),
    st.sampled_from([*NUMBERS, *SPACED, ""]),
)
words = st.one_of(
    st.sampled_from(["a", "b", "DE", "7", "7.0", "true", "- 7", "1e5", "", " a", "a "]),
    st.text(NASTY, max_size=4),
)
cells = st.one_of(numbers, numbers, numbers, words)
names = ("p", "x", "n", "t")
layout = Layout(
    (
        Feature(
            name="p",
            type="Fractional",
            kind="grid",
            role="prediction",
            edges=(-1.0, 0.0, 0.5, 1.0, 7.0),
            cells=(0, 1, 1, 2, 3, 3),
            center=0.5,
        ),
        Feature(
            name="x",
            type="Fractional",
            kind="grid",
            edges=(-2.0, 0.0, 2.5, 3.0),
            cells=(0, 0, 1, 1, 2),
            center=1.0,
            joint=JointLevels(cuts=(-2.0, 0.0, 3.0)),
        ),
        Feature(
            name="n",
            type="Integral",
            kind="codes",
            edges=(3.0, 4.0, 7.0, 8.0),
            cells=(0, 1, 0, 2, 0),
            center=5.0,
            joint=JointLevels(cuts=(4.0,)),
        ),
        Feature(
            name="t",
            type="String",
            kind="text",
            vocabulary=("a", "DE", "7", "true"),
            joint=JointLevels(of_words=(0, 1, 2, 0), of_others=3),
        ),
    )
)
READINGS = {
    "p": CellReading(missing=("NA", "N/A", "-")),
    "x": CellReading(missing=("null", "-999", "nan"), booleans=True),
    "n": CellReading(missing=("abc", " NA ")),
    "t": CellReading(missing=("N/A", "b"), booleans=True),
}
RARE = {"t": rare_values([(value, 2) for value in ("- 7", "1e5", "7.0", "a b", "NA")])}
read_layout = Layout(
    tuple(
        replace(f, reading=READINGS[f.name], rare=RARE.get(f.name, UNSET)) for f in layout.features
    )
)
"""The same bins, read with missing markers and booleans; the text has rare values."""


def lines(width: int) -> st.SearchStrategy[str]:
    """CSV rows, most of them of the right width."""
    right = st.lists(cells, min_size=width, max_size=width)
    usual = st.tuples(
        *[words if k == width - 1 and width > 1 else numbers for k in range(width)]
    ).map(list)
    quoted = right.map(lambda row: ['"' + cell.replace('"', '""') + '"' for cell in row])
    row = st.one_of(usual, usual, right, quoted, st.lists(cells, max_size=width + 1)).map(",".join)
    return st.one_of(row, row, row, st.lists(row, min_size=1, max_size=3).map("\n".join))


def headers(columns: tuple[str, ...]) -> st.SearchStrategy[str]:
    """A row that names the columns, or nearly does."""
    titles = st.one_of(st.just(list(columns)), st.permutations(columns), st.just([*columns, "q"]))
    style = st.sampled_from(["{}", "{}", '"{}"', " {}", "\ufeff{}"])
    row = st.tuples(titles, style).map(lambda pair: ",".join(map(pair[1].format, pair[0])))
    return row.map(lambda text: text + "\n")


def csv_payloads(columns: tuple[str, ...]) -> st.SearchStrategy[str]:
    """CSV text with various line endings and defects."""
    width = len(columns)
    start = st.one_of(st.just(""), st.just(""), st.just(""), st.just("\ufeff"), headers(columns))
    ended = st.tuples(
        start, lines(width), st.sampled_from(["", "", "", "\n", "\n\n", "\r\n", "\r", '"', "\x00"])
    ).map("".join)
    return st.one_of(ended, ended, ended, st.text(NASTY, max_size=6), st.text(max_size=6))


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 9),
    st.integers(),
    st.floats(),
    cells,
    st.sampled_from(
        [10**400, -(10**400), 2**53 + 1, 2**63, 7.0, -0.0, 1e308, math.nan, math.inf, -math.inf]
    ),
)
values = st.one_of(
    scalars,
    scalars,
    scalars,
    scalars,
    st.lists(scalars, max_size=2),
    st.dictionaries(words, scalars, max_size=1),
)


def json_rows(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Rows of a JSON payload in every shape that a client may send."""
    by_name = st.fixed_dictionaries({}, optional=dict.fromkeys([*columns, "other"], values))
    clean = st.fixed_dictionaries(dict.fromkeys(columns, scalars))
    by_position = st.lists(scalars, min_size=len(columns), max_size=len(columns))
    row = st.one_of(clean, by_name, by_position, st.lists(values, max_size=len(columns) + 1))
    rows = st.one_of(row, row, st.lists(row, max_size=3), scalars, tables(columns))
    held = st.tuples(st.sampled_from(HOLDERS), rows).map(lambda pair: {pair[0]: pair[1]})
    return st.one_of(rows, rows, rows.map(lambda content: {"rows": content}), held)


HOLDERS = ["instances", "predictions", "dataframe_split", "inputs", "data", "features", "values"]


def tables(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Several rows by column, as pandas and model servers write them; some of them ragged."""
    short = st.lists(values, max_size=2)
    by_column = st.fixed_dictionaries({}, optional=dict.fromkeys(columns, short))
    labels = st.sampled_from(["0", "1", "a", "٣"])
    by_label = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(columns, st.dictionaries(labels, scalars, max_size=2))
    )
    by_row = st.dictionaries(
        labels, st.fixed_dictionaries({}, optional=dict.fromkeys(columns, scalars))
    )
    titles = st.one_of(st.permutations(columns), st.lists(st.sampled_from(["x", "p", 0, "q"])))
    split = st.fixed_dictionaries(
        {"columns": titles, "data": st.lists(st.lists(values, max_size=3), max_size=2)}
    )
    tensor = st.fixed_dictionaries({"name": st.sampled_from([*columns, "q"]), "data": short})
    return st.one_of(by_column, by_column, by_label, by_row, split, st.lists(tensor, max_size=3))


def json_payloads(columns: tuple[str, ...]) -> st.SearchStrategy[str]:
    """JSON documents, a single one or one per line, some of them broken."""
    document = st.one_of(
        json_rows(columns).map(json.dumps),
        json_rows(columns).map(lambda content: json.dumps(content, indent=1)),
    )
    broken = st.tuples(
        document, st.sampled_from(["}", "\n", "\n\n ", "NaN", "\x00", "]", "\ud800", "{}", "[1]"])
    ).map("".join)
    marked = document.map(lambda text: "\ufeff" + text)
    joined = st.lists(document, max_size=3).map("".join)
    odd = st.sampled_from(
        [
            "",
            "[NaN]",
            "[1e999, 2, 3]",
            '{"p": Infinity}',
            "[" * 5000,
            "nul",
            '{"p":1,"p":2}',
            '["\\ud800"]',
        ]
    )
    several = st.lists(document, max_size=3).map("\n".join)
    return st.one_of(document, document, document, several, broken, odd, marked, joined)


def sides(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """A request or a response: data, encoding and content type in any combination."""
    csv = csv_payloads(columns)
    documents = json_payloads(columns)

    def side(data: Any, encoding: Any, kind: Any) -> dict[str, Any]:
        return {"observedContentType": kind, "mode": "INPUT", "data": data, "encoding": encoding}

    def base64_of(text: str) -> str:
        return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()

    kinds = st.sampled_from(
        [
            "text/csv",
            "text/csv; charset=utf-8",
            "application/json",
            "application/jsonlines",
            "text/html",
            None,
            7,
        ]
    )
    plain_csv = csv.map(lambda text: side(text, "CSV", "text/csv"))
    return st.one_of(
        plain_csv,
        plain_csv,
        documents.map(lambda text: side(text, "JSON", "application/json")),
        st.tuples(csv.map(base64_of), st.just("BASE64"), kinds).map(lambda drawn: side(*drawn)),
        st.tuples(documents.map(base64_of), st.just("BASE64"), kinds).map(
            lambda drawn: side(*drawn)
        ),
        st.tuples(
            st.one_of(csv, scalars), st.sampled_from(["CSV", "BASE64", "csv", None, 5, ""]), kinds
        ).map(lambda drawn: side(*drawn)),
        st.sampled_from([None, 5, {}, [], {"data": None, "encoding": "CSV"}, {"data": "1"}]),
    )


times: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 59).map(lambda s: f"2025-06-15T15:06:{s:02d}Z"),
    st.integers(0, 59).map(lambda s: f"2025-06-15T15:06:{s:02d}Z"),
    st.sampled_from(
        [
            "2025-06-15T15:06:40.1239Z",
            "2025-06-15T15:06:40+02:00",
            "2025-06-15 15:06:40",
            "2025-02-30T00:00:00Z",
            "2025-06-15T25:06:40Z",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "{%s}",
            "",
            "2025-06-15",
            "\ud800",
            None,
            5,
            1750000000000,
            [],
        ]
    ),
)
ids = st.one_of(st.uuids().map(str), st.none(), st.sampled_from([5, "\ud800", "é"]))


def dropped(key: str) -> st.SearchStrategy[str | None]:
    """The key in one of ten cases, to be removed from a dictionary; otherwise ``None``."""
    return st.sampled_from([None] * 9 + [key])


@st.composite
def captures(draw: st.DrawFn) -> bytes:
    """A capture line; some lack keys, and some are damaged."""
    metadata = {"eventId": draw(ids), "inferenceTime": draw(times)}
    if draw(st.booleans()):
        metadata["inferenceId"] = draw(ids)
    if draw(st.integers(0, 9)) == 9:
        metadata["invocationSource"] = draw(st.sampled_from(["ShadowExperiment", "x", None, []]))
    line: Any = {
        "captureData": {
            "endpointInput": draw(sides(names[1:])),
            "endpointOutput": draw(sides(names[:1])),
        },
        "eventMetadata": metadata,
        "eventVersion": draw(st.sampled_from(["0", 0, None, "\ud800"])),
    }
    for key in (draw(dropped("endpointInput")), draw(dropped("endpointOutput"))):
        line["captureData"].pop(key, None)
    for key in (draw(dropped("captureData")), draw(dropped("eventMetadata"))):
        line.pop(key, None)
    return encoded(draw, line)


USUAL = {
    "p": ["0.25", "0.5", "1.0", "-3"],
    "x": ["2.5", "0.0", "-1.5", "3"],
    "n": ["3", "4", "7", "12"],
    "t": ["a", "DE", "7", "q"],
}
QUOTED_CELLS = [
    '""',
    '"7"',
    '" 7"',
    '"a""b"',
    '"a"b',
    'a"b"',
    '"a,b"',
    '"a\nb"',
    '"a\r\nb"',
    '"a\rb"',
]
QUOTED_CELLS += ['""""', '"""', '"",""', '"a" ', ' "a"', '"']
LONE_CELLS = ["", "\r", "\ufeff7", "7\n8", "a\x00", "é", "0x1F", "0X1", "7.0", "+7", "q,7"]
ODD_CELLS = [*QUOTED_CELLS, *QUOTED_CELLS, *LONE_CELLS, *NUMBERS, *SPACED]
ENDINGS = ["\n", "\n\n", "\r\n", "\r", '"', ",", "\n1,2,3"]


@st.composite
def near_misses(draw: st.DrawFn) -> list[bytes | None]:
    """A batch of clean CSV captures with up to two defects, which the fast path could miscount
    without an error.
    """
    count = draw(st.integers(1, 6))
    heights = [draw(st.sampled_from([1, 1, 1, 1, 2])) for _ in range(count)]
    rows = [
        [{name: draw(st.sampled_from(USUAL[name])) for name in names} for _ in range(height)]
        for height in heights
    ]
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.sampled_from(draw(st.sampled_from(rows))))
        row[draw(st.sampled_from(names))] = draw(st.sampled_from(ODD_CELLS))
    payloads = [
        ["\n".join(",".join(row[name] for name in side) for row in record) for record in rows]
        for side in (names[:1], names[1:])
    ]
    end = draw(st.sampled_from(["", "\n"]))
    payloads = [[text + end for text in texts] for texts in payloads]
    if draw(st.integers(0, 4)) == 4:
        k, style = (
            draw(st.integers(0, count - 1)),
            draw(st.sampled_from(["{}", '"{}"', "\u00a0{} "])),
        )
        titles = [draw(st.permutations(names[:1])), draw(st.permutations(names[1:]))]
        for texts, of_side in zip(payloads, titles, strict=True):
            texts[k] = ",".join(map(style.format, of_side)) + "\n" + texts[k]
    for _ in range(draw(st.integers(0, 2))):
        texts = draw(st.sampled_from(payloads))
        k = draw(st.integers(0, count - 1))
        texts[k] = draw(
            st.sampled_from(
                [
                    "",
                    "\n",
                    texts[k] + draw(st.sampled_from(ENDINGS)),
                    "\ufeff" + texts[k],
                    ",".join(names[:1] if texts is payloads[0] else names[1:]) + "\n" + texts[k],
                    "n,x,t\n" + texts[k],
                    "1,2",
                    texts[k] + "\n" + texts[k],
                ]
            )
        )
    return [_capture(draw, response, request) for response, request in zip(*payloads, strict=True)]


def _capture(draw: st.DrawFn, response: str, request: str) -> bytes:
    metadata = {
        "eventId": "e",
        "inferenceTime": draw(
            st.sampled_from(["2025-06-15T15:06:40Z"] * 9 + ["2025-06-15T15:06:4:Z"])
        ),
    }
    captured = {
        "endpointInput": {"data": request, "encoding": "CSV"},
        "endpointOutput": {"data": response, "encoding": "CSV"},
    }
    return json.dumps({"captureData": captured, "eventMetadata": metadata}).encode()


@st.composite
def json_near_misses(draw: st.DrawFn) -> list[bytes | None]:
    """A batch of captures of clean JSON rows, by name or by position, with up to two odd cells."""
    usual: dict[str, list[Any]] = {
        "p": [0.5, 1, "2.5"],
        "x": [2.5, 0, -1.5],
        "n": [3, 7, 7.0, "12"],
        "t": ["a", "q", 7, None],
    }
    rows = [
        {name: draw(st.sampled_from(usual[name])) for name in names}
        for _ in range(draw(st.integers(1, 5)))
    ]
    for _ in range(draw(st.integers(0, 2))):
        draw(st.sampled_from(rows))[draw(st.sampled_from(names))] = draw(values)
    by_name = draw(st.booleans())
    lines: list[bytes | None] = []
    for row in rows:
        sides = [
            {name: row[name] for name in side} if by_name else [row[name] for name in side]
            for side in (names[:1], names[1:])
        ]
        data = [{"data": json.dumps(side), "encoding": "JSON"} for side in sides]
        captured = {"endpointOutput": data[0], "endpointInput": data[1]}
        lines.append(
            json.dumps(
                {
                    "captureData": captured,
                    "eventMetadata": {"inferenceTime": "2025-06-15T15:06:40Z"},
                }
            ).encode()
        )
    return lines


@st.composite
def json_events(draw: st.DrawFn) -> bytes:
    """An event of the format json: flat, nested, or of another shape."""
    clean = st.fixed_dictionaries(dict.fromkeys(names[1:], scalars))
    messy = st.fixed_dictionaries({}, optional=dict.fromkeys([*names[1:], "other"], values))
    features = draw(st.one_of(clean, messy, clean, messy, st.sampled_from([None, 5, [], "x"])))
    event: Any = {
        "time": draw(times),
        "id": draw(ids),
        "prediction": {"score": draw(values)},
        "features": features,
        "p": draw(values),
    }
    if isinstance(features, dict):
        event |= features
    event["user"] = draw(st.one_of(st.none(), st.just(5), st.fixed_dictionaries({"age": scalars})))
    for key in (draw(dropped("features")), draw(dropped("prediction")), draw(dropped("time"))):
        event.pop(key, None)
    return encoded(draw, event)


JUNK = [b"", b"\xff", b"\x00", b'"', b"}", b"{", b"\xef\xbb\xbf", b"NaN", b"\n", b"{}"]


def encoded(draw: st.DrawFn, document: Any) -> bytes:
    """The document as bytes, damaged in one of ten cases."""
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    value = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) < 9:
        return value
    junk = draw(st.sampled_from(JUNK))
    start = draw(st.one_of(st.integers(0, len(value)), st.sampled_from([0, len(value)])))
    return value[:start] + junk + value[start + draw(st.integers(0, 2)) :]


def records(events: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes | None]]:
    """A few records, some of which are not events."""
    other = st.one_of(
        st.none(),
        st.binary(max_size=5),
        st.sampled_from([b"", b"[]", b"5", b"null", b"{}", b'"x"']),
    )
    return st.lists(st.one_of(events, events, events, events, events, other), max_size=12)
