"""``driftline check --live`` on a state in S3, which moto's server emulates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stream.check.stored_state_s3 import examine_object
from stream.cli import main
from stream.config.model import S3Config
from tests.integration.machines import BUCKET, JOB, WHERE, Make, policy
from tests.servers.moto import REGION, MotoServer
from tests.support.jobs import config as job_config


@pytest.fixture
def settings(moto: MotoServer) -> Callable[..., S3Config]:
    return lambda **more: S3Config(
        **({"bucket": BUCKET, "region": REGION, "endpoint_url": moto.url} | more)
    )


def test_a_missing_bucket_is_the_fault_that_would_end_the_service(
    tmp_path: Path, moto: MotoServer, s3: Any, baseline: Path
) -> None:
    state = {
        "path": "job.sqlite",
        "s3": {"bucket": "nowhere", "region": REGION, "endpoint_url": moto.url},
    }
    content = yaml.safe_dump(job_config(baseline, state=state))
    (tmp_path / "config.yaml").write_text(content)
    result = CliRunner().invoke(main, ["check", "--live", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2
    assert "there is no such bucket: create it, or correct `state.s3.bucket`" in result.output


def test_a_bucket_without_a_state_has_no_fault(s3: Any, settings: Callable[..., S3Config]) -> None:
    stored, [finding] = examine_object(settings(), JOB)
    assert (stored, finding.level, finding.subject) == (None, "ok", WHERE)
    assert "no state yet" in finding.message


def test_the_last_state_is_read_and_left_unchanged(
    machine: Make, s3: Any, settings: Callable[..., S3Config]
) -> None:
    owner = machine("a")
    owner.start()
    owner.commit(5)
    before = owner.stored.head()
    stored, [finding] = examine_object(settings(), JOB)
    assert stored is not None
    assert stored.state.partitions["p"].next == 5
    assert finding.level == "ok"
    assert "its owner may be running" in finding.message
    assert owner.stored.head() == before
    owner.chain.release()
    assert "its last owner has ended" in examine_object(settings(), JOB)[1][0].message


def test_the_state_of_another_job_is_a_fault(
    machine: Make, s3: Any, settings: Callable[..., S3Config]
) -> None:
    machine("a").start()
    assert examine_object(settings(key=f"driftline/{JOB}.state"), "other")[1][0].level == "fault"


def test_a_refusal_without_permission_to_list_may_be_an_absent_state(
    allowed: Callable[[str], None], settings: Callable[..., S3Config]
) -> None:
    allowed(policy("s3:PutObject"))
    stored, [finding] = examine_object(settings(), JOB)
    assert (stored, finding.level) == (None, "warning")
    assert "s3:GetObject and s3:PutObject" in finding.advice


def test_s3_out_of_reach_is_a_fault_of_the_network(
    s3: Any, settings: Callable[..., S3Config]
) -> None:
    _, [finding] = examine_object(settings(endpoint_url="http://127.0.0.1:1"), JOB)
    assert (finding.level, finding.message) == (
        "fault",
        "S3 does not respond: EndpointConnectionError",
    )
    assert "endpoint_url" in finding.advice
