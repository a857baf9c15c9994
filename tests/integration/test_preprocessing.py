"""The service with reader processes, each of which runs a preprocessing script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.unit.stream.formats.sagemaker.script.captures import capture

CONFIG = """\
job: flights
source: {type: jsonl, path: captures}
format: {type: sagemaker, preprocess: preprocess.py}
model: {from: const, name: delay}
models:
  delay: {baseline: learn, outputs: [p], inputs: [x]}
"""


def test_a_service_with_reader_processes_runs_a_script(tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    records = [capture(str(k) if k % 4 else "drop") for k in range(400)]
    (tmp_path / "captures" / "a.jsonl").write_bytes(b"\n".join([*records, capture("bad"), b""]))
    (tmp_path / "preprocess.py").write_text(
        "def preprocess_handler(record):\n"
        "    data = record.endpoint_input.data\n"
        "    return [] if data == 'drop' else {'p': 0.5, 'x': float(data)}\n"
    )
    (tmp_path / "config.yaml").write_text(CONFIG + "readers: 2\nhttp: {port: 0}\n")
    command = [sys.executable, "-m", "stream.cli", "run", "config.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    [stopped] = [line for line in done.stderr.splitlines() if '"stopped"' in line]
    assert "300 events accepted, 100 dropped_by_script, 1 script_failed" in stopped
