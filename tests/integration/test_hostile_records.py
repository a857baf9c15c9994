"""Records of a sender with ill will: the service counts all others, also after a restart."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.servers.service import RunningService
from tests.support.jobs import config, learn_from, letters

TIME = "2025-06-15T15:06:40Z"
GOOD = 60
DEEP = [930, 960, 990, 995, 1_000, 20_000]
NAMES = [
    *('"a\\u001fb"', '"\\u0000"', '"\\ud800"', '"\\udc00x"', '"' + "n" * 300 + '"', '"\x7f"'),
    *("5", "null", "true", "[1]", '{"a": 1}', "1e306", '"\\u001d\\u001e"', '"\\u009b31m"'),
]
TIMES = [
    *("1e306", "1e308", "-1e308", "1e999", "9" * 400, "9" * 5_000, "NaN", "Infinity", "null"),
    *("true", "[]", "{}", '"\\ud800"', '"99999-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"'),
    *('"9999-12-31T23:59:59-14:00"', "1750000000", '"1750000000000"', '"' + "9" * 100_000 + '"'),
]


def event(k: int, **changes: Any) -> dict[str, Any]:
    return {"time": TIME, "id": str(k), "v": "A", "model": "m", "p": 0.5, "x": k, "n": 7} | changes


def deep(depth: int, opened: str, closed: str) -> bytes:
    """A record with an unknown field, which the fast reader skips and the full one may refuse."""
    return (
        json.dumps(event(1, u="TOKEN"))
        .replace('"TOKEN"', opened * depth + "1" + closed * depth)
        .encode()
    )


def with_token(key: str, token: str) -> bytes:
    return json.dumps(event(1, **{key: "TOKEN"})).replace('"TOKEN"', token).encode()


def hostile() -> Iterator[bytes]:
    """Records that must not be counted under the model and variant of the good ones."""
    for key in ("v", "model"):
        yield from (with_token(key, token) for token in NAMES)
        yield with_token(key, '"QQ"').replace(b"QQ", b"\xff")
        yield with_token(key, '"QQ"').replace(b"QQ", b"\xed\xa0\x80")
    yield from (with_token("time", token) for token in TIMES)
    for depth in DEEP:
        yield deep(depth, "[", "]")
        yield deep(depth, '{"a":', "}")


def damaged(draw: Random) -> bytes:
    """A good record with some bytes of its names, times and keys replaced."""
    value = bytearray(json.dumps(event(draw.randrange(100))).encode())
    for _ in range(draw.randint(1, 3)):
        value[draw.randrange(len(value))] = draw.choice(b'\x00\x1f\x7f\xff\xed"\\{}[]:,eE.-')
    return bytes(value).replace(b"\n", b" ")


def job(folder: Path, readers: int, **changes: Any) -> dict[str, Any]:
    columns = {name: [str(k % 7) for k in range(500)] for name in ("p", "x", "n")}
    return config(
        learn_from(columns, ["p"], folder / "training"),
        source={"type": "jsonl", "path": "in", "follow": False},
        format={"type": "json", "id": "id"},
        model={"from": "path", "name": "model"},
        variant={"from": "path", "name": "v"},
        readers=readers,
        **changes,
    )


def accepted(service: RunningService) -> int:
    """Run the service to the end of its input; return the events accepted since the first start."""
    service.start("--log", "json")
    assert service.wait() == 0, service.log[-2_000:]
    assert "Traceback" not in service.log
    counts: list[str] = re.findall(r'"state": "(\d+) events accepted', service.log)
    return int(counts[-1])


@pytest.mark.parametrize("readers", [1, 2])
def test_hostile_names_times_and_depths_stop_nothing(tmp_path: Path, readers: int) -> None:
    draw = Random(5)
    good = [json.dumps(event(k)).encode() for k in range(GOOD)]
    broken = [damaged(draw) for _ in range(2_000)]
    lines = b"".join(line + b"\n" for line in [*good, *hostile(), *broken, *good])
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines)
    service = RunningService(tmp_path, job(tmp_path, readers))
    first = accepted(service)
    assert 2 * GOOD <= first < 2 * GOOD + len(broken)
    (folder / "b.jsonl").write_bytes(lines)
    assert accepted(service) == 2 * first
    reasons = Counter(letter["reason"] for letter in letters(tmp_path))
    assert reasons["invalid_name"] >= 2 * 2 * 8
    assert reasons["time_absurd"] >= 2 * 12
    assert not reasons["fails_decoding"]
    assert not reasons["crashes_reader"]


def test_a_wrong_path_of_features_is_told_at_once_and_in_the_windows(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    lines = [json.dumps(event(k)).encode() + b"\n" for k in range(GOOD)]
    (tmp_path / "in" / "a.jsonl").write_bytes(b"".join(lines))
    wrong = job(tmp_path, 1) | {"format": {"type": "json", "features": "featurs"}}
    service = RunningService(tmp_path, wrong)
    service.start("--log", "json")
    service.wait()
    told = list(map(json.loads, filter(is_event, service.log.splitlines())))
    [missing] = [line for line in told if line["event"] == "inputs_missing"]
    assert (missing["level"], missing["rows"]) == ("error", GOOD)
    [window] = [line for line in told if line["event"] == "window_closed"]
    assert (window["level"], window["state"]) == ("warning", "no inputs")
    assert {report.state for report in service.reports()} == {"no inputs"}


def is_event(line: str) -> bool:
    return line.startswith("{")
