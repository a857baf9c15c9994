"""The files for deployment are valid: Compose file, Dockerfile, examples, alerts and board."""

from __future__ import annotations

import random
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from detectors.durations import duration_ms
from stream.cli import main
from tests.conftest import skip_or_fail
from tests.servers import alertmanager, prometheus
from tests.servers.base import DependencyMissing
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE_JOB = DEPLOY / "config.compose.yaml"
EXAMPLES = sorted(DEPLOY.glob("config.*.yaml"))


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.fixture
def services() -> dict[str, Any]:
    return dict(read(ROOT / "docker-compose.yml")["services"])


def test_the_compose_file_is_valid(linter: Callable[[str], Path]) -> None:
    command = [
        str(linter("docker-compose")),
        "-f",
        str(ROOT / "docker-compose.yml"),
        "config",
        "-q",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_published_port_is_bound_to_the_loopback(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_dockerfile_follows_good_practice(linter: Callable[[str], Path]) -> None:
    result = subprocess.run(
        [str(linter("hadolint")), str(ROOT / "deploy" / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_the_container_does_not_run_as_root() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("0", "root")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_configuration_passes_the_check(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BOOTSTRAP", "KAFKA_USER", "KAFKA_PASSWORD"):
        monkeypatch.setenv(name, "a-value")
    result = CliRunner().invoke(main, ["check", str(example)])
    assert result.exit_code == 0, result.output


def test_there_is_an_example_for_each_source_and_for_aws() -> None:
    assert {path.name for path in EXAMPLES} >= {
        "config.kafka.yaml",
        "config.jsonl.yaml",
        "config.aws.yaml",
        "config.compose.yaml",
    }


def test_the_compose_file_runs_the_job_of_its_own_configuration(services: dict[str, Any]) -> None:
    mounts = dict(mount.split(":")[:2] for mount in services["driftline"]["volumes"])
    assert mounts[f"./deploy/{COMPOSE_JOB.name}"] == "/etc/driftline/config.yaml"
    assert '"run", "/etc/driftline/config.yaml"' in (DEPLOY / "Dockerfile").read_text()


def test_the_producer_sends_to_the_topic_and_with_the_columns_of_the_job(
    services: dict[str, Any],
) -> None:
    source = read(COMPOSE_JOB)["source"]
    producer = services["producer"]
    assert producer["command"] == [
        f"--bootstrap={source['bootstrap_servers'][0]}",
        f"--topic={source['topic']}",
    ]
    assert producer["depends_on"] == services["driftline"]["depends_on"]
    script = runpy.run_path(str(DEPLOY / "producer.py"))
    columns = read(COMPOSE_JOB)["models"]["delays"]["inputs"]
    assert list(script["flight"](random.Random(1))) == columns


def test_each_incident_changes_a_flight_and_lasts_longer_than_the_windows_that_confirm_it() -> None:
    script = runpy.run_path(str(DEPLOY / "producer.py"))
    window_s = duration_ms(read(COMPOSE_JOB)["window"]) / 1000
    assert script["INCIDENT_S"] > 3 * window_s
    assert read(COMPOSE_JOB)["learn"]["events"] / 200 + 2 * window_s < script["CALM_START_S"]
    happened = {script["incident_at"](second) for second in range(600)} - {None}
    assert happened == set(script["INCIDENTS"])
    rng = random.Random(1)
    for incident in script["INCIDENTS"]:
        flights = [script["flight"](rng) for _ in range(100)]
        changed = [dict(flight) for flight in flights]
        for flight in changed:
            incident(flight)
        moved = {
            name
            for before, after in zip(flights, changed, strict=True)
            for name in before
            if before[name] != after[name]
        }
        assert len(moved) == 1


@pytest.mark.parametrize("name", ["producer", "alerts"])
def test_a_script_of_a_container_is_mounted_where_it_is_run(
    services: dict[str, Any], name: str
) -> None:
    """The image holds Python and what the scripts import; its own health check is not theirs."""
    service = services[name]
    program, script = service["entrypoint"]
    assert program == "python"
    [mount] = service["volumes"]
    source, target, mode = mount.split(":")
    assert (ROOT / source).is_file()
    assert (target, mode) == (script, "ro")
    assert service["healthcheck"] == {"disable": True}
    assert service["build"] == services["driftline"]["build"]


def test_alerts_reach_the_receiver_through_alertmanager(services: dict[str, Any]) -> None:
    [manager] = read(DEPLOY / "prometheus.yml")["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert services["alertmanager"]["ports"] == ["127.0.0.1:9093:9093"]
    receivers = {entry["name"]: entry for entry in read(DEPLOY / "alertmanager.yml")["receivers"]}
    [webhook] = receivers["on-call"]["webhook_configs"]
    port = services["alerts"]["command"][0].rpartition(":")[2]
    assert webhook["url"] == f"http://alerts:{port}/"


def test_alertmanager_accepts_its_configuration_and_notifies_of_all_but_information() -> None:
    if reason := alertmanager.why_missing():
        skip_or_fail(DependencyMissing("alertmanager", reason))
    path = f"{DEPLOY / 'alertmanager.yml'}"
    checked = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    [group] = read(DEPLOY / "prometheus-rules.yml")["groups"]
    for severity in {rule["labels"]["severity"] for rule in group["rules"]}:
        command = ["amtool", "config", "routes", "test", "--config.file", path]
        routed = subprocess.run([*command, f"severity={severity}"], capture_output=True, text=True)
        assert routed.stdout.strip() == ("nobody" if severity == "info" else "on-call")


def test_alerts_are_evaluated_often_enough_to_be_delivered_within_two_minutes() -> None:
    interval = read(DEPLOY / "prometheus.yml")["global"]["evaluation_interval"]
    assert duration_ms(interval) <= 15_000
    route = read(DEPLOY / "alertmanager.yml")["route"]
    assert duration_ms(route["group_wait"]) <= 10_000


def test_prometheus_accepts_its_configuration() -> None:
    if reason := prometheus.why_missing():
        skip_or_fail(DependencyMissing("prometheus", reason))
    command = ["promtool", "check", "config", str(DEPLOY / "prometheus.yml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_driftline_reads_from_the_broker_of_the_compose_file_and_waits_for_its_topic(
    services: dict[str, Any],
) -> None:
    source = read(COMPOSE_JOB)["source"]
    advertised = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert [f"INSIDE://{server}" for server in source["bootstrap_servers"]] == advertised[:1]
    assert f"--topic={source['topic']}" in services["topic"]["command"]
    assert services["topic"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert services["driftline"]["depends_on"] == {
        "topic": {"condition": "service_completed_successfully"}
    }


def test_the_broker_writes_into_its_volume(services: dict[str, Any]) -> None:
    kafka = services["kafka"]
    assert f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}" in kafka["volumes"]


def test_driftline_writes_into_its_volume_only(
    services: dict[str, Any],
) -> None:
    config = read(COMPOSE_JOB)
    written = [
        config["state"]["path"],
        config["dead_letters"]["path"],
        *(sink["path"] for sink in config["sinks"] if "path" in sink),
    ]
    assert len(written) == 3
    assert all(path.startswith("/var/lib/driftline/") for path in written)
    assert "driftline:/var/lib/driftline" in services["driftline"]["volumes"]


def test_scrape_health_check_and_published_port_are_the_served_port(
    services: dict[str, Any],
) -> None:
    port = read(COMPOSE_JOB)["http"]["port"]
    [job] = read(DEPLOY / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"driftline:{port}"]}]
    assert f"http://127.0.0.1:{port}/healthz" in (DEPLOY / "Dockerfile").read_text()
    assert services["driftline"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_grafana_is_provisioned_with_its_board_and_its_prometheus(services: dict[str, Any]) -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [provider] = read(provisioning / "dashboards" / "driftline.yaml")["providers"]
    [source] = read(provisioning / "datasources" / "prometheus.yaml")["datasources"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in services


def test_the_alert_rules_fire_only_when_they_should() -> None:
    """promtool runs the unit tests of the rules: one without alerts, one in which every alert
    fires, and restarts.
    """
    if reason := prometheus.why_missing():
        skip_or_fail(DependencyMissing("prometheus", reason))
    for arguments in (
        ["check", "rules", "prometheus-rules.yml"],
        ["test", "rules", "prometheus-rules.test.yml"],
    ):
        result = subprocess.run(
            ["promtool", *arguments], cwd=DEPLOY, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_describes_the_fault_and_the_action() -> None:
    (group,) = read(DEPLOY / "prometheus-rules.yml")["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), rule["alert"]
        assert len(rule["annotations"]["summary"]) > 10
        assert len(rule["annotations"]["description"]) > 30
