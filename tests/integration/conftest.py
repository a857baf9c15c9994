"""Fixtures for tests of the state in S3, of takeovers and of the live check."""

from __future__ import annotations

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

    def allow(policy: str) -> None:
        for name, value in moto.restricted_to(policy).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    yield allow
    moto.permit_everything()


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
