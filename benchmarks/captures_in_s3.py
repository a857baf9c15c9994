"""The rate at which captures in a bucket are read and judged, against the same files on disk.

``python -m benchmarks.captures_in_s3 [ENDPOINT_URL]`` runs the service on 240,000 captures in
objects of three sizes, in a bucket at ``ENDPOINT_URL`` and in a local folder, in turn, and prints
the medians. Without an address moto's server is started. The credentials are those of the AWS
configuration.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import boto3

from benchmarks.running import SINKS, Running, busy_s
from tests.servers.moto import REGION, MotoServer
from tests.support import events, jobs

CAPTURES: Final = 240_000
PER_OBJECT: Final = (3_000, 1_000, 100)
ROUNDS: Final = 3
HOUR: Final = "endpoint/AllTraffic/2025/06/15/15"


def written(folder: Path, lines: list[bytes], per_object: int) -> list[Path]:
    """Write the captures to files of so many lines, in the folder of an hour."""
    (folder / HOUR).mkdir(parents=True)
    paths = [folder / HOUR / f"{k:06d}.jsonl" for k in range(len(lines) // per_object)]
    for k, path in enumerate(paths):
        path.write_bytes(b"\n".join(lines[k * per_object : (k + 1) * per_object]) + b"\n")
    return paths


def uploaded(s3: Any, bucket: str, folder: Path, paths: list[Path]) -> None:
    """Put the files into a bucket, under their paths in ``folder``."""

    def put(path: Path) -> None:
        key = str(path.relative_to(folder.parent))
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, paths))


def rates(folder: Path, source: dict[str, Any], baseline: Path) -> tuple[float, float]:
    """Captures per second of the clock and of the processor, from the first to the last."""
    config = jobs.config(baseline, job="bench", source=source, sinks=SINKS, grace=None)
    running = Running(folder, config)
    try:
        while (first := running.read()) == 0:
            time.sleep(0.02)
        began_s, used_s = time.perf_counter(), busy_s(running.pid)
        while (last := running.read()) < CAPTURES:
            time.sleep(0.02)
        read = last - first
        return read / (time.perf_counter() - began_s), read / (busy_s(running.pid) - used_s)
    finally:
        running.stop()


@contextlib.contextmanager
def endpoint() -> Iterator[str]:
    """Yield the address of the emulator."""
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    with MotoServer() as moto:
        yield moto.url


def measure(url: str, folder: Path, lines: list[bytes], baseline: Path, per_object: int) -> None:
    """Print a line for objects of this size."""
    bucket = f"captures-{uuid.uuid4().hex[:8]}"
    s3 = boto3.client("s3", endpoint_url=url, region_name=REGION)
    s3.create_bucket(Bucket=bucket)
    files = folder / str(per_object)
    paths = written(files, lines, per_object)
    uploaded(s3, bucket, files, paths)
    size = paths[0].stat().st_size
    sources: dict[str, dict[str, Any]] = {
        "files": {"type": "jsonl", "path": str(files), "follow": True},
        "s3": {"type": "s3", "bucket": bucket, "prefix": files.name, "follow": True}
        | {"region": REGION, "endpoint_url": url},
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sources}
    for k in range(ROUNDS):
        for name, source in sources.items():
            found[name].append(rates(folder / f"{per_object}-{k}-{name}", source, baseline))
    clock = {name: statistics.median(rate for rate, _ in pairs) for name, pairs in found.items()}
    busy = {name: statistics.median(rate for _, rate in pairs) for name, pairs in found.items()}
    print(
        f"{size:9,} bytes an object: files {clock['files']:8,.0f}/s, S3 {clock['s3']:8,.0f}/s,"
        f" {clock['s3'] / clock['files']:.2f} of it; of the processor {busy['files']:8,.0f}/s,"
        f" {busy['s3']:8,.0f}/s, {busy['s3'] / busy['files']:.2f}",
        flush=True,
    )


def main() -> None:
    """Print a line for each size."""
    lines = events.capture_lines(events.values(CAPTURES), events_a_second=2_000)
    with tempfile.TemporaryDirectory() as name, endpoint() as url:
        folder = Path(name)
        baseline = jobs.learn_from(events.values(20_000, 100), events.OUTPUTS, folder)
        for per_object in PER_OBJECT:
            measure(url, folder, lines, baseline, per_object)


if __name__ == "__main__":
    main()
