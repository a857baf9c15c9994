"""Fixtures for tests of the state in S3, of takeovers and of the live check."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main
from tests.integration.machines import BUCKET, Machine, Make
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.moto import MotoServer
from tests.servers.service import RunningService
from tests.support import jobs


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.learn(tmp_path_factory.mktemp("training"))


@pytest.fixture
def s3(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def allowed(
    moto: MotoServer, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """``allowed(policy)`` restricts this process to the permissions of the policy."""

    def enforce(free_requests: int) -> None:
        post = urllib.request.Request(
            f"{moto.url}/moto-api/reset-auth",
            str(free_requests).encode(),
            {"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(post, timeout=10).close()

    def allow(policy: str) -> None:
        iam = moto.client("iam")
        iam.create_user(UserName="driftline")
        iam.put_user_policy(UserName="driftline", PolicyName="state", PolicyDocument=policy)
        key = iam.create_access_key(UserName="driftline")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        monkeypatch.delenv("AWS_SESSION_TOKEN")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        enforce(0)

    yield allow
    enforce(1_000_000_000)


@pytest.fixture
def proxy(moto: MotoServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(moto.port) as faulty:
        yield faulty


@pytest.fixture
def machine(tmp_path: Path, moto: MotoServer, s3: Any) -> Make:
    return lambda name, url=moto.url, **more: Machine(tmp_path / name, url, **more)


@pytest.fixture
def services(tmp_path: Path, moto: MotoServer) -> Iterator[Any]:
    """``services(name, config, *options)`` starts a service in a folder of its own; all are killed
    at the end."""
    running: list[RunningService] = []

    def start(name: str, settings: dict[str, Any], *options: str) -> RunningService:
        service = RunningService(tmp_path / name, settings, moto.env)
        running.append(service)
        service.start(*options)
        return service

    yield start
    for service in running:
        if service.process is not None and service.process.poll() is None:
            service.process.kill()
            service.process.wait()


@pytest.fixture
def check_live(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the live check on a configuration; return its exit code and output."""
    jobs.learn(tmp_path, rows=2_000)

    def check(
        source: dict[str, Any], sinks: list[dict[str, Any]], **changes: Any
    ) -> tuple[int, str]:
        defaults = {"job": "checked", "source": source, "sinks": sinks, "grace": None}
        config = jobs.config("baseline", **{**defaults, **changes})
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        result = CliRunner().invoke(main, ["check", "--live", str(tmp_path / "config.yaml")])
        return result.exit_code, result.output

    return check
