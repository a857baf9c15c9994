"""Valid lines, and lines damaged in transit."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.property.events import ENDINGS, NASTY, ODD_CELLS, USUAL, names

BATCH = 250
HUGE = [
    "9" * 400,
    "-" + "9" * 400,
    "1e400",
    "-1e-400",
    "1" * 4_000,
    "0." + "0" * 500 + "1",
    "1e308",
]
HUGE += ["9223372036854775808", "0x" + "f" * 40]
TOKENS = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b'\\"',
    b"\\",
    b"}",
]
TOKENS += [
    b"{",
    b"[" * 300,
    b'{"a":' * 300,
    b"NaN",
    b"Infinity",
    b"-",
    b",",
    b",,",
    b":",
    b"null",
    b"true",
    b"\xe2\x80\xa8",
    b"\xc0\x80",
]
TOKENS += [token.encode() for token in [*NASTY, *ODD_CELLS, *ENDINGS, *HUGE]]


class Line(NamedTuple):
    """A line, and whether it is unchanged since its sender wrote it."""

    value: bytes
    intact: bool


def capture(random: Random, cell: Callable[[str], str] | None = None) -> bytes:
    """A capture line with a row of usual cells, or of those that ``cell`` returns."""
    row = {name: random.choice(USUAL[name]) if cell is None else cell(name) for name in names}
    sides = [
        {"data": ",".join(row[name] for name in part), "encoding": "CSV"}
        for part in (names[1:], names[:1])
    ]
    line = {
        "captureData": {"endpointInput": sides[0], "endpointOutput": sides[1]},
        "eventMetadata": {"inferenceTime": stamp(random)},
    }
    return json.dumps(line).encode()


def event(random: Random, cell: Callable[[str], str] | None = None) -> bytes:
    """An event of the format json, its columns both flat and nested, for every configured path."""
    row = {name: random.choice(USUAL[name]) if cell is None else cell(name) for name in names}
    return json.dumps(
        {
            "time": stamp(random),
            **row,
            "features": row,
            "prediction": {"score": row["p"]},
            "user": {"age": row["x"]},
        }
    ).encode()


def stamp(random: Random) -> str:
    """A time within the same five minutes."""
    return f"2025-06-15T15:0{random.randrange(5, 10)}:{random.randrange(60):02d}Z"


def batch(seed: int, make: Callable[..., bytes], size: int = BATCH) -> list[Line]:
    """A batch in which about half of the lines are intact, mixed with damaged ones."""
    random = Random(seed)
    return [
        Line(make(random), True) if random.random() < 0.5 else Line(damaged(random, make), False)
        for _ in range(size)
    ]


def damaged(random: Random, make: Callable[..., bytes]) -> bytes:
    """A line with one to three kinds of damage."""
    line = make(random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        line = random.choice(DAMAGES)(random, line, make)
    return line


def _flip(random: Random, line: bytes, _: object) -> bytes:
    at = random.randrange(len(line)) if line else 0
    return line[:at] + bytes([random.randrange(256)]) + line[at + 1 :]


def _cut(random: Random, line: bytes, _: object) -> bytes:
    start, stop = sorted((random.randint(0, len(line)), random.randint(0, len(line))))
    return line[:start] + line[stop:] if random.random() < 0.5 else line[start:stop]


def _twice(random: Random, line: bytes, _: object) -> bytes:
    start, stop = sorted((random.randint(0, len(line)), random.randint(0, len(line))))
    return line[:stop] + line[start:stop] + line[stop:]


def _token(random: Random, line: bytes, _: object) -> bytes:
    at = random.randint(0, len(line))
    return line[:at] + random.choice(TOKENS) + line[at + random.choice((0, 0, 1, 3)) :]


def _quote(random: Random, line: bytes, _: object) -> bytes:
    """An escaped quote at the beginning of a cell, which is never closed."""
    cells = [k + 1 for k, letter in enumerate(line) if letter == ord(",")]
    at = random.choice(cells) if cells else 0
    return line[:at] + b'\\"' + line[at:]


def _cell(random: Random, _line: bytes, make: Callable[..., bytes]) -> bytes:
    return make(
        random,
        lambda name: (
            random.choice([*ODD_CELLS, *HUGE])
            if random.random() < 0.4
            else random.choice(USUAL[name])
        ),
    )


def _encoding(random: Random, line: bytes, _: object) -> bytes:
    text = line.decode("utf-8", "replace")
    return text.encode(
        random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037", "utf-7")), "replace"
    )


def _key_twice(random: Random, line: bytes, _: object) -> bytes:
    key = random.choice(
        (b"captureData", b"eventMetadata", b"time", b"features", b"p", b"x", b"data")
    )
    return line.replace(
        b"{", b'{"' + key + b'":' + random.choice((b"1", b"null", b"{}", b'"7"', b"[]")) + b",", 1
    )


def _nested(random: Random, line: bytes, _: object) -> bytes:
    depth = random.choice((1, 5, 100, 1_500))
    return (
        b"[" * depth + line + b"]" * depth
        if random.random() < 0.5
        else b'{"a":' * depth + line + b"}" * depth
    )


def _type(random: Random, line: bytes, _: object) -> bytes:
    other = random.choice(
        (
            b"5",
            b"null",
            b"[]",
            b"{}",
            b"true",
            b'"\\ud800"',
            b"1e999",
            b"123456789012345678901234567890",
        )
    )
    quotes = [k for k, letter in enumerate(line) if letter == ord('"')]
    if len(quotes) < 2:
        return other
    k = random.randrange(len(quotes) - 1)
    return line[: quotes[k]] + other + line[quotes[k + 1] + 1 :]


def _bytes(random: Random, _line: bytes, _: object) -> bytes:
    return random.randbytes(random.choice((0, 1, 3, 40, 400)))


DAMAGES = (
    _flip,
    _cut,
    _twice,
    _token,
    _token,
    _quote,
    _cell,
    _cell,
    _encoding,
    _key_twice,
    _nested,
    _type,
    _bytes,
)
