"""The cost of a preprocessing script: captures decoded a second, without and with one.

``python -m benchmarks.preprocessing [COLUMNS]`` decodes the same 5,000 captures with CSV payloads
without a script, with the one of SageMaker's developer guide, and with one that does the same by
columns. The rounds take turns, and the fastest of each counts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from stream.formats.base import (
    ColumnType,
    Decoder,
    DecodingPlan,
    IdentityConfig,
    NameConfig,
    Schema,
    TimeConfig,
)
from stream.formats.sagemaker.format import Sagemaker
from stream.testing.records import raw_batch

EVENTS: Final = 5_000
ROUNDS: Final = 8
BY_RECORD: Final = """
def preprocess_handler(inference_record):
    input_data = inference_record.endpoint_input.data
    output_data = inference_record.endpoint_output.data.rstrip("\\n")
    data = output_data + "," + input_data
    return {str(i).zfill(20): d for i, d in enumerate(data.split(","))}
"""
BY_COLUMN: Final = """
import pyarrow.compute as pc

def preprocess_columns(columns):
    output_data = pc.utf8_rtrim(columns["endpoint_output"], "\\n")
    data = pc.binary_join_element_wise(output_data, columns["endpoint_input"], ",")
    cells = pc.split_pattern(data, ",")
    return {str(i).zfill(20): pc.list_element(cells, i) for i in range(len(cells[0]))}
"""


def captures(columns: int) -> list[bytes]:
    """Captures with one output, and so many numbers as inputs."""
    draw = np.random.default_rng(0)
    return [
        json.dumps(
            {
                "captureData": {
                    "endpointInput": _side(",".join(f"{x:.4f}" for x in draw.normal(size=columns))),
                    "endpointOutput": _side(f"{draw.random():.4f}\n"),
                },
                "eventMetadata": {"eventId": f"{k:032x}", "inferenceTime": "2025-06-15T15:06:40Z"},
                "eventVersion": "0",
            }
        ).encode()
        for k in range(EVENTS)
    ]


def _side(data: str) -> dict[str, str]:
    return {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"}


def opened(columns: int, script: Path | None) -> Decoder:
    """A decoder of these captures."""
    inputs = tuple(f"x{k}" for k in range(columns))
    schema = Schema(("p",), inputs, {name: ColumnType("float") for name in ("p", *inputs)})
    identity = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    form = Sagemaker(preprocess=str(script or ""))
    return form.open(identity, DecodingPlan((schema,), {"m": 0}))


def main() -> None:
    """Print a line for each script."""
    columns = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    raws = [raw_batch(captures(columns))]
    with tempfile.TemporaryDirectory() as folder:
        scripts: dict[str, Path | None] = {"none": None}
        for name, text in (("preprocess_handler", BY_RECORD), ("preprocess_columns", BY_COLUMN)):
            scripts[name] = Path(folder) / f"{name}.py"
            (Path(folder) / f"{name}.py").write_text(text)
        decoders = {name: opened(columns, script) for name, script in scripts.items()}
        best_s = dict.fromkeys(decoders, float("inf"))
        for _ in range(ROUNDS):
            for name, decoder in decoders.items():
                started_s = time.perf_counter()
                decoded = decoder.decode(raws)
                best_s[name] = min(best_s[name], time.perf_counter() - started_s)
                if decoded.rejects or sum(len(b.record) for b in decoded.batches) != EVENTS:
                    raise RuntimeError(f"{name}: not all captures were decoded")
    for name, taken_s in best_s.items():
        share = best_s["none"] / taken_s
        print(f"{name:20} {EVENTS / taken_s:10,.0f} captures/s  {share:5.2f} of the rate without")


if __name__ == "__main__":
    main()
