"""The standard events of tests and benchmarks: 20 columns in about 480 bytes of a capture line.

Twelve floats of different distributions (one is the prediction), five integers, three strings. All
values follow from a seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

OUTPUTS = ("score",)
FLOATS = (
    "amount",
    "refund",
    "balance",
    "rate",
    "distance",
    "speed",
    "temperature",
    "humidity",
    "pressure",
    "ratio",
    "latency",
)
INTEGERS = ("age", "visits", "hour", "flag", "stock")
STRINGS = ("country", "device", "plan")
INPUTS = (*FLOATS, *INTEGERS, *STRINGS)
TYPES = {
    **dict.fromkeys((*OUTPUTS, *FLOATS), "float"),
    **dict.fromkeys(INTEGERS, "int"),
    **dict.fromkeys(STRINGS, "text"),
}
COUNTRIES = (
    "DE", "FR", "US", "GB", "PL", "IT", "ES", "NL", "SE", "BR",
    "IN", "JP", "CA", "MX", "AU", "CH", "AT", "DK", "NO", "FI",
)  # fmt: skip
DEVICES = ("android", "ios", "web", "tablet", "kiosk")
PLANS = ("free", "basic", "plus", "premium", "enterprise")
LINE = (
    '{{"captureData":{{"endpointInput":{{"observedContentType":"{kind}","mode":"INPUT",'
    '"data":{request},"encoding":"{encoding}"}},'
    '"endpointOutput":{{"observedContentType":"{kind}","mode":"OUTPUT",'
    '"data":{response},"encoding":"{encoding}"}}}},'
    '"eventMetadata":{{"eventId":"{event}","inferenceTime":"{time}"}},"eventVersion":"0"}}'
)


def values(rows: int, seed: int = 0) -> dict[str, list[str]]:
    """Columns of cell text by name, the prediction first."""
    rng = np.random.default_rng(seed)
    spent = rng.lognormal(3.0, 1.0, rows)
    floats = {
        "score": rng.beta(2.0, 5.0, rows),
        "amount": np.where(rng.random(rows) < 0.4, 0.0, spent),
        "refund": np.where(rng.random(rows) < 0.9, 0.0, spent / 2),
        "balance": rng.normal(500.0, 120.0, rows),
        "rate": rng.exponential(0.3, rows),
        "distance": rng.gamma(2.0, 40.0, rows),
        "speed": rng.uniform(0.0, 90.0, rows),
        "temperature": rng.normal(15.0, 8.0, rows),
        "humidity": rng.beta(5.0, 2.0, rows) * 100,
        "pressure": rng.normal(1013.0, 7.0, rows),
        "ratio": rng.random(rows),
        "latency": rng.lognormal(4.0, 0.6, rows),
    }
    integers = {
        "age": rng.integers(18, 90, rows),
        "visits": rng.poisson(3.0, rows),
        "hour": rng.integers(0, 24, rows),
        "flag": (rng.random(rows) < 0.2).astype(np.int64),
        "stock": rng.geometric(0.01, rows),
    }
    words = {"country": COUNTRIES, "device": DEVICES, "plan": PLANS}
    columns = {name: [f"{x:.6f}" for x in column.tolist()] for name, column in floats.items()}
    columns |= {name: [str(x) for x in column.tolist()] for name, column in integers.items()}
    for name, choices in words.items():
        weights = 1.0 / np.arange(1, len(choices) + 1)
        picked = rng.choice(len(choices), rows, p=weights / weights.sum())
        columns[name] = [choices[k] for k in picked.tolist()]
    return {name: columns[name] for name in (*OUTPUTS, *INPUTS)}


def spoil(columns: dict[str, list[str]], share: float, seed: int = 0) -> dict[str, list[str]]:
    """The columns, with a share of all numeric cells replaced by text that is not a number."""
    rng = np.random.default_rng(seed)
    return {
        name: [
            ("n/a" if bad else cell)
            for cell, bad in zip(cells, (rng.random(len(cells)) < share).tolist(), strict=True)
        ]
        if name not in STRINGS
        else cells
        for name, cells in columns.items()
    }


def training_csv(rows: int, seed: int = 1) -> str:
    """Training data with a header, from the same distributions."""
    columns = values(rows, seed)
    body = "\n".join(map(",".join, zip(*columns.values(), strict=True)))
    return f"{','.join(columns)}\n{body}\n"


def wide(rows: int, width: int, seed: int = 0) -> dict[str, list[str]]:
    """The prediction ``score`` and ``width - 1`` inputs ``f0 ...`` like the standard columns."""
    standard = [values(rows, seed + k) for k in range(-(-width // len(INPUTS)))]
    inputs = [
        cells for columns in standard for name, cells in columns.items() if name not in OUTPUTS
    ]
    return {
        "score": standard[0]["score"],
        **{f"f{j}": cells for j, cells in enumerate(inputs[: width - 1])},
    }


def capture_lines(
    columns: dict[str, list[str]],
    *,
    as_json: bool = False,
    start_ms: int = 1_750_000_000_000,
    events_a_second: int = 1000,
) -> list[bytes]:
    """One SageMaker capture line for each row: the columns ``OUTPUTS`` are the response, all others
    the request.
    """
    names = [name for name in columns if name not in OUTPUTS]
    requests = _payloads(columns, names, as_json)
    responses = _payloads(columns, list(OUTPUTS), as_json)
    kind, encoding = ("application/json", "JSON") if as_json else ("text/csv", "CSV")
    ids = np.random.default_rng(len(requests)).bytes(16 * len(requests)).hex()
    lines = []
    for i, (request, response) in enumerate(zip(requests, responses, strict=True)):
        event = ids[i * 32 : i * 32 + 32]
        line = LINE.format(
            kind=kind,
            encoding=encoding,
            request=json.dumps(request),
            response=json.dumps(response),
            event=f"{event[:8]}-{event[8:12]}-{event[12:16]}-{event[16:20]}-{event[20:]}",
            time=_time(start_ms + i * 1000 // events_a_second),
        )
        lines.append(line.encode())
    return lines


def json_lines(
    columns: dict[str, list[str]], *, start_ms: int = 1_750_000_000_000, events_a_second: int = 1000
) -> list[bytes]:
    """One flat JSON object for each row, for the format ``json``; ``time`` is the event time in
    milliseconds.
    """
    bodies = _payloads(columns, list(columns), True)
    return [
        f'{body[:-1]},"time":{start_ms + i * 1000 // events_a_second}}}'.encode()
        for i, body in enumerate(bodies)
    ]


def _payloads(columns: dict[str, list[str]], names: Sequence[str], as_json: bool) -> list[str]:
    rows = zip(*(columns[name] for name in names), strict=True)
    if not as_json:
        return list(map(",".join, rows))
    cells = ",".join(
        f'"{name}":"{{}}"' if _is_text(name, columns) else f'"{name}":{{}}' for name in names
    )
    template = f"{{{{{cells}}}}}"
    return [template.format(*row) for row in rows]


def _is_text(name: str, columns: dict[str, list[str]]) -> bool:
    return name in STRINGS or (name not in TYPES and not _is_number(columns[name][0]))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
