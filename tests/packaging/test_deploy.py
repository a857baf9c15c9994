"""What is shipped to be deployed is valid: Compose file, Dockerfile, example configurations."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stream.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "deploy").glob("config.*.yaml"))


def test_the_compose_file_is_valid(linter: Callable[[str], Path]) -> None:
    command = [str(linter("docker-compose")), "-f", str(ROOT / "docker-compose.yml"), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_published_port_is_bound_to_the_loopback() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_dockerfile_follows_good_practice(linter: Callable[[str], Path]) -> None:
    done = subprocess.run([str(linter("hadolint")), str(ROOT / "deploy" / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_container_does_not_run_as_root() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("0", "root")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_configuration_passes_the_check(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOOTSTRAP", "KAFKA_USER", "KAFKA_PASSWORD"):
        monkeypatch.setenv(name, "a-value")
    done = CliRunner().invoke(main, ["check", str(example)])
    assert done.exit_code == 0, done.output
