"""docs/example-component works from a wheel of its own, next to the wheel of driftline."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import pytest

from tests.packaging.wheels import build_wheel, clean_environment, installed
from tests.support.paths import ROOT

EXAMPLE = ROOT / "docs" / "example-component"
START = datetime(2026, 1, 5, tzinfo=UTC)
EVENTS_A_MINUTE = 700


class Receiver(HTTPServer):
    """An HTTP server that keeps the key and the body of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.received: list[tuple[str, dict[str, Any]]] = []


class Receive(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.headers["Idempotency-Key"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example; what is built and run there leaves nothing in the repository."""
    copy = tmp_path_factory.mktemp("example") / "example-component"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return copy


@pytest.fixture(scope="module")
def wheel(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(example, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    driftline = build_wheel(ROOT, tmp_path_factory.mktemp("driftline"))
    return installed(tmp_path_factory.mktemp("installed"), [driftline, wheel])


def run(
    programs: Path, folder: Path, *command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / command[0], *command[1:]],
        cwd=folder,
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def events(minutes: int) -> Iterator[dict[str, object]]:
    """Numbers in the same pattern in each minute; in the last one the amounts are larger."""
    for number in range(minutes * EVENTS_A_MINUTE):
        minute = number // EVENTS_A_MINUTE
        time = START + timedelta(minutes=number / EVENTS_A_MINUTE)
        amount = number % 10 + (50 if minute == minutes - 1 else 0)
        yield {"time": time.isoformat(), "amount": amount, "price": number % 7 + 0.5}


def write_job(folder: Path) -> None:
    """Training data, events, and the configuration of the example with a baseline."""
    rows = [f"{number % 10},{number % 7 + 0.5}" for number in range(5_000)]
    (folder / "train.csv").write_text("\n".join(["amount,price", *rows, ""]))
    lines = [json.dumps(event) + "\n" for event in events(minutes=3)]
    (folder / "events.jsonl").write_text("".join(lines))
    text = (EXAMPLE / "config.yaml").read_text()
    with_baseline = text.replace("baseline: learn", "baseline: baseline/")
    assert with_baseline != text
    (folder / "config.yaml").write_text(with_baseline)


def test_the_wheel_holds_one_package_and_the_entry_points(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert packages == {"driftline_example"}
    [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
    text = ZipFile(wheel).read(entry_points).decode()
    assert "[driftline.sinks]" in text
    assert "[driftline.distances]" in text


def test_the_schema_shows_the_sink_and_the_distance(programs: Path, tmp_path: Path) -> None:
    result = run(programs, tmp_path, "driftline", "schema", "config")
    assert result.returncode == 0, result.stderr
    definitions = json.loads(result.stdout)["$defs"]
    assert definitions["HttpPost"]["description"].startswith("POSTs each report")
    url = definitions["HttpPost"]["properties"]["url"]
    assert url["description"] == "Where to send items: `https://host/path`."
    assert "total_variation" in definitions["Rules"]["properties"]["statistic"]["enum"]


def test_check_accepts_the_configuration_of_the_example(programs: Path, example: Path) -> None:
    result = run(programs, example, "driftline", "check", "config.yaml")
    assert result.returncode == 0, result.stderr
    assert "config.yaml: ok" in result.stdout


def test_check_reports_faults_of_its_keys_with_their_lines(
    programs: Path, example: Path, tmp_path: Path
) -> None:
    text = (EXAMPLE / "config.yaml").read_text()
    faulty = text.replace(
        "    url: ${DRIFT_URL:-http:", "    timeout: 5\n    url: ${DRIFT_URL:-ftp:"
    )
    assert faulty != text
    (tmp_path / "config.yaml").write_text(faulty)
    result = run(programs, tmp_path, "driftline", "check", "config.yaml")
    line = text.splitlines().index("  - type: http_post") + 2
    assert result.returncode == 2
    assert f"config.yaml:{line}: sinks[0].timeout: unknown key" in result.stderr
    assert "did you mean 'timeout_s'?" in result.stderr

    (tmp_path / "config.yaml").write_text(text.replace("-http:", "-ftp:"))
    result = run(programs, tmp_path, "driftline", "check", "config.yaml")
    assert result.returncode == 2
    assert (
        f"config.yaml:{line}: sinks[0].url: expected an address such as https://host/path"
        in result.stderr
    )


def test_the_service_delivers_through_the_sink(
    programs: Path, receiver: Receiver, tmp_path: Path
) -> None:
    write_job(tmp_path)
    baseline = ("driftline", "baseline", "train.csv", "--out", "baseline/")
    result = run(programs, tmp_path, *baseline, "--predictions", "price")
    assert result.returncode == 0, result.stderr
    url = f"http://127.0.0.1:{receiver.server_port}/drift"
    result = run(programs, tmp_path, "driftline", "run", "config.yaml", DRIFT_URL=url)
    assert result.returncode == 0, result.stderr
    bodies = [body for _, body in receiver.received]
    assert [body["id"] for body in bodies] == [key for key, _ in receiver.received]
    reports = [body for body in bodies if "rows" in body]
    assert [report["rows"] for report in reports] == [EVENTS_A_MINUTE] * 3
    assert [report["state"] for report in reports] == ["ok", "ok", "violations"]
    [violation] = reports[2]["violations"]
    assert (violation["feature"], violation["statistic"]) == ("amount", "total_variation")
    assert violation["value"] == pytest.approx(1.0)


def test_its_own_tests_pass(programs: Path, example: Path) -> None:
    tests = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests")
    result = run(programs, example, "python", *tests)
    assert result.returncode == 0, result.stdout[-3_000:]
    assert " passed" in result.stdout


def test_the_readme_names_every_file(example: Path) -> None:
    readme = (EXAMPLE / "README.md").read_text()
    files = [path.relative_to(example) for path in example.rglob("*.*") if path.suffix != ".pyc"]
    shown = {str(path) for path in files} - {"README.md"}
    unnamed = {path for path in shown if f"]({path})" not in readme}
    assert {Path(path).name for path in unnamed} <= {"__init__.py", "py.typed"}


def test_its_requirements_are_satisfied_where_driftline_and_pytest_are_installed(
    programs: Path, example: Path
) -> None:
    """``pip install '.[test]'``, except that it downloads and changes nothing."""
    offline = ("--dry-run", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    result = run(programs, example, "python", "-m", "pip", "install", *offline, ".[test]")
    assert result.returncode == 0, result.stderr
    assert "Would install driftline-example-1.0.0" in result.stdout


def test_its_requirement_offers_the_extra_that_it_names() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert project["dependencies"] == ["driftline"]
    assert project["optional-dependencies"]["test"] == ["driftline[testing]"]
    assert "testing" in extras
