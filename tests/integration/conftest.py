"""What tests of the state in S3 and of takeovers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.captures import learn
from tests.integration.machines import BUCKET, Machine, Make
from tests.parts.faulty import FaultyRoad
from tests.parts.moto import MotoServer
from tests.parts.service import RunningService


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("training"))


@pytest.fixture
def s3(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def road(moto: MotoServer) -> Iterator[FaultyRoad]:
    with FaultyRoad(moto.port) as one:
        yield one


@pytest.fixture
def machine(tmp_path: Path, moto: MotoServer, s3: Any) -> Make:
    return lambda name, url=moto.url, **more: Machine(tmp_path / name, url, **more)


@pytest.fixture
def services(tmp_path: Path, moto: MotoServer) -> Iterator[Any]:
    """``services(name, config, *options)`` starts one in a folder of its own; all are killed at the end."""
    running: list[RunningService] = []

    def start(name: str, settings: dict[str, Any], *options: str) -> RunningService:
        one = RunningService(tmp_path / name, settings, moto.env)
        running.append(one)
        one.start(*options)
        return one

    yield start
    for one in running:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()
