"""``driftline check --live`` on a state in S3, which moto's server plays (an emulator)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stream.check.stored_state_s3 import look
from stream.cli import main
from stream.config.model import S3Config
from tests.integration.machines import BUCKET, JOB, WHERE, Make, policy
from tests.servers.moto import REGION, MotoServer
from tests.support.jobs import config as job_config


@pytest.fixture
def place(moto: MotoServer) -> Callable[..., S3Config]:
    return lambda **more: S3Config(
        **({"bucket": BUCKET, "region": REGION, "endpoint_url": moto.url} | more)
    )


def test_a_bucket_that_is_missing_ends_the_look_as_it_would_end_the_service(
    tmp_path: Path, moto: MotoServer, s3: Any, baseline: Path
) -> None:
    state = {
        "path": "job.sqlite",
        "s3": {"bucket": "nowhere", "region": REGION, "endpoint_url": moto.url},
    }
    settings = job_config(baseline, state=state)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(main, ["check", "--live", str(tmp_path / "config.yaml")])
    assert done.exit_code == 2
    assert "there is no such bucket: create it, or correct `state.s3.bucket`" in done.output


def test_a_bucket_without_a_state_is_well(s3: Any, place: Callable[..., S3Config]) -> None:
    stored, [finding] = look(place(), JOB)
    assert (stored, finding.level, finding.where) == (None, "ok", WHERE)
    assert "no state there yet" in finding.what


def test_the_state_that_was_put_last_is_read_and_left_alone(
    machine: Make, s3: Any, place: Callable[..., S3Config]
) -> None:
    owner = machine("a")
    owner.start()
    owner.commit(5)
    before = owner.stored.look()
    stored, [finding] = look(place(), JOB)
    assert stored is not None
    assert stored.state.partitions["p"].next == 5
    assert finding.level == "ok"
    assert "an owner, who may be alive" in finding.what
    assert owner.stored.look() == before
    owner.chain.release()
    assert "its last owner has ended" in look(place(), JOB)[1][0].what


def test_the_state_of_another_job_is_a_fault(
    machine: Make, s3: Any, place: Callable[..., S3Config]
) -> None:
    machine("a").start()
    assert look(place(key=f"driftline/{JOB}.state"), "other")[1][0].level == "fault"


def test_a_refusal_without_the_right_to_list_may_be_an_absent_state(
    allowed: Callable[[str], None], place: Callable[..., S3Config]
) -> None:
    allowed(policy("s3:PutObject"))
    stored, [finding] = look(place(), JOB)
    assert (stored, finding.level) == (None, "warning")
    assert "s3:GetObject and s3:PutObject" in finding.advice


def test_s3_that_does_not_answer_is_a_fault_of_the_network(
    s3: Any, place: Callable[..., S3Config]
) -> None:
    _, [finding] = look(place(endpoint_url="http://127.0.0.1:1"), JOB)
    assert (finding.level, finding.what) == ("fault", "S3 does not answer: EndpointConnectionError")
    assert "endpoint_url" in finding.advice
