"""`driftline baseline s3://...`: the files of Model Monitor are fetched, and refusals name causes.

S3 is moto's server (an emulator that enforces permissions).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from stream.baselining.build import load_baseline, make, write
from stream.cli import main
from tests.integration.machines import BUCKET
from tests.servers.moto import MotoServer


@pytest.fixture
def results(tmp_path: Path, s3: Any) -> Path:
    """The files of a baseline job in the bucket, and here."""
    folder = tmp_path / "results"
    rows = pa.table({"y": ["0", "1"] * 20, "x": [str(k) for k in range(40)]})
    write(make(lambda: [rows]), folder)
    (folder / "baseline.msgpack").unlink()
    for file in folder.iterdir():
        s3.put_object(Bucket=BUCKET, Key=f"job/results/{file.name}", Body=file.read_bytes())
    return folder


@pytest.fixture
def driftline(tmp_path: Path, moto: MotoServer) -> Callable[..., Result]:
    def run(uri: str) -> Result:
        options = ["--out", str(tmp_path / "base"), "--endpoint-url", moto.url]
        return CliRunner().invoke(main, ["baseline", uri, *options])

    return run


def test_both_files_are_fetched_unchanged(
    results: Path, tmp_path: Path, driftline: Callable[..., Result]
) -> None:
    for uri in (f"s3://{BUCKET}/job/results/", f"s3://{BUCKET}/job/results"):
        result = driftline(uri)
        assert result.exit_code == 0, result.output
        for file in results.iterdir():
            assert (tmp_path / "base" / file.name).read_bytes() == file.read_bytes()
        fetched, here = load_baseline(tmp_path / "base"), load_baseline(results)
        assert fetched.fingerprint == here.fingerprint


def test_what_is_not_there_is_named(
    results: Path, driftline: Callable[..., Result], s3: Any
) -> None:
    wrong_folder = driftline(f"s3://{BUCKET}/job/")
    assert "there is no such object: give the folder that holds" in wrong_folder.output
    wrong_bucket = driftline("s3://no-such-bucket-here/job/")
    assert "there is no such bucket (NoSuchBucket)" in wrong_bucket.output
    s3.put_object(Bucket=BUCKET, Key="job/results/statistics.json", Body=b'{"features": 3}')
    damaged = driftline(f"s3://{BUCKET}/job/results/")
    assert f"s3://{BUCKET}/job/results/statistics.json" in damaged.output


def test_a_refusal_names_the_permission(
    results: Path,
    tmp_path: Path,
    driftline: Callable[..., Result],
    allowed: Callable[[str], None],
) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    allowed(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    result = driftline(f"s3://{BUCKET}/job/results/")
    assert f"s3:GetObject on arn:aws:s3:::{BUCKET}/job/results/*" in result.output
    assert not (tmp_path / "base").exists()
