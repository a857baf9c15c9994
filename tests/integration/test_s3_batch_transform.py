"""Captures of batch transform jobs: a service that is killed counts each line of them once.

S3 is moto's server, an emulator. The producer's own counts are the expected result.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.sources.s3.keys import HOUR_MS, hour_folder
from tests.servers.moto import REGION, MotoServer
from tests.servers.service import RunningService, newest
from tests.support import events, jobs

pytestmark = [pytest.mark.moto, pytest.mark.slow]

CAPTURES, RESULTS = "captures", "results"
LINES = 1_500
OBJECTS = 8
JOBS = 3
UUID = "1f1d57b1-2e6f-488c-8c30-{:012d}"


def hour_of(job: int) -> int:
    now_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
    return now_ms - (JOBS - job) * HOUR_MS


def put_job(s3: Any, job: int, hour_ms: int) -> None:
    """Put the results of a job, in CSV or JSON, then the manifest that names them.

    Jobs with an even number have ids and a time 90 s after the full hour.
    """
    scores = events.values(LINES * OBJECTS, 10 + job)["score"]
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(hour_ms / 1000 + 90))
    names = [f"part-{n}.{'json' if job == 1 else 'csv'}.out" for n in range(OBJECTS)]
    for n, name in enumerate(names):
        lines = []
        for k, score in enumerate(scores[n * LINES : (n + 1) * LINES]):
            generated = f",{UUID.format(n * LINES + k)},{moment}" if job % 2 == 0 else ""
            lines.append(json.dumps({"score": float(score)}) if job == 1 else f"{score}{generated}")
        s3.put_object(Bucket=RESULTS, Key=f"job-{job}/{name}", Body="\n".join(lines).encode())
    manifest = json.dumps([{"prefix": f"s3://{RESULTS}/job-{job}/"}, *names])
    key = f"{hour_folder('batch/output/', hour_ms)}/job-{job}-manifest"
    s3.put_object(Bucket=CAPTURES, Key=key, Body=manifest.encode())


def has_more(service: RunningService, rows: int) -> bool:
    return service.accepted() > rows


def test_each_line_of_each_job_is_counted_once_through_kills(
    moto: MotoServer, tmp_path: Path
) -> None:
    s3 = moto.client("s3")
    for bucket in (CAPTURES, RESULTS):
        s3.create_bucket(Bucket=bucket)
    hours = [hour_of(job) for job in range(JOBS)]
    put_job(s3, 0, hours[0])
    source: dict[str, Any] = {
        "type": "s3",
        "bucket": CAPTURES,
        "prefix": "batch",
        "manifests": "output",
        "follow": True,
        "relist": "500ms",
        "region": REGION,
        "endpoint_url": moto.url,
    }
    scores = {"score": events.values(5_000, 4)["score"]}
    baseline = jobs.learn_from(scores, events.OUTPUTS, tmp_path)
    config = jobs.config(baseline, source=source, window="1m", grace="8h", lateness="24h")
    checked = tmp_path / "checked.yaml"
    checked.write_text(json.dumps(config))
    result = CliRunner().invoke(main, ["check", str(checked), "--live"])
    assert result.exit_code == 0, result.output
    assert "0 % of 200 sampled records rejected" in result.output
    service = RunningService(tmp_path / "run", config, moto.env)
    with service:
        for job in range(1, JOBS):
            known = (job - 1) * LINES * OBJECTS
            service.until(partial(has_more, service, known))
            service.kill9()
            put_job(s3, job, hours[job])
            service.start()
        service.until(lambda: service.accepted() == JOBS * LINES * OBJECTS)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    bounded = {**config, "source": {**source, "follow": False}, "job": "bounded"}
    rest = RunningService(tmp_path / "all", bounded, moto.env)
    with rest:
        assert rest.wait() == 0
    rows = {end: report.rows for (_, end), report in newest(rest.reports()).items() if report.rows}
    starts = [hour + (60_000 if job % 2 == 0 else 0) for job, hour in enumerate(hours)]
    assert rows == {start + 60_000: LINES * OBJECTS for start in starts}
    for folder in ("run", "all"):
        assert not list((tmp_path / folder).glob("dead-letters-*.jsonl"))
