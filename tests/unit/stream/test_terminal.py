"""Commands on a terminal of their own: progress, colours, interruption."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stream.service.ending import NOTHING_JUDGED
from tests.support.processes import killed_at_end

CAPTURE = (
    '{"captureData":{"endpointInput":{"data":"%d","encoding":"CSV"},'
    '"endpointOutput":{"data":"1","encoding":"CSV"}},'
)
META = (
    '"eventMetadata":{"eventId":"%d","inferenceTime":"2026-11-25T07:00:%02dZ"},'
    '"eventVersion":"0"}\n'
)


def run_on_terminal(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command; return its exit code, and everything that it sent to its terminal."""
    controller, terminal_side = pty.openpty()
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI")
    }
    command = [sys.executable, "-m", "stream.cli", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=terminal_side,
        stdout=terminal_side,
        stderr=terminal_side,
        env={**env, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(terminal_side)
        sent = b"".join(iter(lambda: _read_chunk(controller), b""))
    os.close(controller)
    return process.returncode, sent.decode()


def _read_chunk(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side has closed the terminal
        return b""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "captures.jsonl").write_text(
        "".join(CAPTURE % k + META % (k, k) for k in range(50))
    )
    content = {
        "job": "short",
        "source": {"type": "jsonl", "path": "captures.jsonl"},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "learn", "outputs": ["p"], "inputs": ["a"]}},
        "http": {"port": 0},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_progress_bar_is_removed_when_a_command_fails(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    code, sent = run_on_terminal(tmp_path, "baseline", "t.csv", "--out", "b")
    assert code == 2
    bar, _, rest = sent.rpartition("\x1b[2K")
    assert "reading t.csv" in bar
    assert rest.startswith("driftline: t.csv: cannot be read as csv: ")
    assert "━" not in rest


def test_a_character_that_the_terminal_lacks_does_not_end_a_command(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("gr\u00f6\u00dfe,\u4ef7\u683c\n1,x\n2,y\n", encoding="utf-8")
    command = [sys.executable, "-m", "stream.cli", "baseline", "t.csv", "--out", "b"]
    for encoding in ("ascii", "latin-1"):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0, done.stderr
        assert b"\\u4ef7\\u683c" in done.stdout


def test_ctrl_c_ends_a_command_without_a_traceback_and_without_files(tmp_path: Path) -> None:
    # Reading this takes longer than it takes to interrupt it.
    (tmp_path / "t.jsonl").write_bytes(b'{"a": 1, "b": "x"}\n' * 2_000_000)
    controller, terminal_side = pty.openpty()
    command = [sys.executable, "-m", "stream.cli", "baseline", "t.jsonl", "--out", "b"]
    terminal = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=terminal_side, stderr=terminal_side, env=terminal
    ) as process:
        os.close(terminal_side)
        sent = b""
        while b"reading t.jsonl" not in sent and (chunk := _read_chunk(controller)):
            sent += chunk
        process.send_signal(signal.SIGINT)
        sent += b"".join(iter(lambda: _read_chunk(controller), b""))
    os.close(controller)
    bar, _, rest = sent.decode().rpartition("\x1b[2K")
    assert "reading" in bar
    assert (process.returncode, rest) == (130, "driftline: interrupted\r\n")
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_a_service_logs_for_people_on_a_terminal_and_in_json_on_request(
    config: Path,
) -> None:
    code, sent = run_on_terminal(config.parent, "run", "config.yaml")
    assert code == NOTHING_JUDGED, sent
    uncoloured = [re.sub(r"\x1b\[\d*m", "", line) for line in sent.splitlines()]
    assert sent.count("\x1b[") > 10
    assert any(
        re.search(r"^\S+Z \[info +\] started +job=short http=http://", line) for line in uncoloured
    )
    assert not any(line.startswith("{") for line in uncoloured)
    forget_state(config)
    code, sent = run_on_terminal(config.parent, "run", "config.yaml", "--log", "json")
    *logged, ending = sent.splitlines()
    assert {json.loads(line)["job"] for line in logged} == {"short"}
    assert ending.startswith("driftline: nothing judged: 50 events accepted")


def test_no_color_disables_colours(config: Path) -> None:
    code, sent = run_on_terminal(config.parent, "run", "config.yaml", NO_COLOR="1")
    assert (code, sent.count("\x1b")) == (NOTHING_JUDGED, 0)
    assert "started" in sent


def test_a_live_view_shows_windows_and_fits_the_terminal(config: Path) -> None:
    code, sent = run_on_terminal(config.parent, "run", "config.yaml", "--live", COLUMNS="80")
    assert code == NOTHING_JUDGED, sent
    text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", sent).replace("\r", "\n")
    lines = [line for line in text.splitlines() if not line.startswith("driftline: ")]
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("2026-11-25 07:01      50  learning") for line in lines)
    assert "short: 1 window, 50 rows" in text
    assert "window_closed" not in text, "it is shown, not logged"


def test_a_live_view_keeps_the_log_that_was_asked_for(config: Path) -> None:
    options = ("run", "config.yaml", "--live", "--log", "json", "--log-level", "info")
    _, sent = run_on_terminal(config.parent, *options, COLUMNS="200")
    text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", sent)
    for event in ("started", "window_closed", "stopped"):
        assert f'"event": "{event}"' in text.replace("\r\n", " ").replace("  ", " ")
    assert "2026-11-25 07:01" in text


def test_a_live_view_is_lines_where_there_is_no_terminal(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "run", "config.yaml", "--live"],
        cwd=config.parent,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2026-11-25 07:01  50  learning\n"
    assert '"event": "started"' not in done.stderr


def forget_state(config: Path) -> None:
    for path in config.parent.glob("driftline-*.sqlite*"):
        path.unlink()


def test_a_service_whose_terminal_is_closed_commits_and_ends(config: Path) -> None:
    """A hang-up otherwise means: read the configuration again."""
    content = yaml.safe_load(config.read_text())
    content["source"]["follow"] = True
    config.write_text(yaml.safe_dump(content))
    controller, terminal_side = pty.openpty()

    service = [sys.executable, "-m", "stream.cli", "run", "config.yaml", "--log", "json"]
    command = ["setsid", "--ctty", *service]  # otherwise no signal follows the hang-up
    with (
        subprocess.Popen(
            command,
            cwd=config.parent,
            stdin=terminal_side,
            stdout=terminal_side,
            stderr=terminal_side,
        ) as process,
        killed_at_end(process),
    ):
        os.close(terminal_side)
        sent = b""
        while b"partitions_found" not in sent and (chunk := _read_chunk(controller)):
            sent += chunk
        os.close(controller)
        assert process.wait(30) == 0
    assert (config.parent / "driftline-short.sqlite").exists()
