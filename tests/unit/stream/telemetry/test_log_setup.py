"""Log events as JSON for programs and in columns for people."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
import structlog

from stream.telemetry.log_setup import LogSetup, style_of

Read = Callable[..., list[str]]


class Terminal(StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def write_events() -> None:
    """An event, a warning of a library, and an exception in a function that holds a value."""
    log = structlog.get_logger("driftline")
    log.info("window_closed", rows=600, failed_checks=["amount: completeness_check"])
    logging.getLogger("a.library").warning("%s does not respond", "the broker")
    try:
        secret = "a value of a feature"
        raise ValueError(len(secret))
    except ValueError:
        log.exception("commit_failed")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """``read(setup, write)`` returns the lines that a terminal shows when ``write`` logs."""
    root = logging.getLogger()
    level = logging.getLogger().level
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def lines(setup: LogSetup, write: Callable[[], None] = write_events) -> list[str]:
        stderr = Terminal()
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(root, "handlers", [])
        setup.set_up()
        write()
        return stderr.getvalue().splitlines()

    yield lines
    root.setLevel(level)


def test_json_logs_have_one_object_per_line_each_with_the_job(read: Read) -> None:
    window, library, failed = (json.loads(line) for line in read(LogSetup(job="flights")))
    timestamp = window.pop("timestamp")
    assert window == {
        "event": "window_closed",
        "job": "flights",
        "level": "info",
        "rows": 600,
        "failed_checks": ["amount: completeness_check"],
    }
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", timestamp)
    assert (library["event"], library["level"]) == ("the broker does not respond", "warning")
    assert (library["job"], library["logger"]) == ("flights", "a.library")
    assert "ValueError: 20" in failed["exception"]


def test_an_event_of_a_library_is_one_line_of_json_whatever_its_text(read: Read) -> None:
    def write() -> None:
        log = logging.getLogger("a.library")
        log.warning('a "quoted" \\ text\nof two lines: %s', "\u00e9")
        log.info("below the level of libraries")
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("failed")

    warning, failed = (json.loads(line) for line in read(LogSetup(), write))
    assert warning["event"] == 'a "quoted" \\ text\nof two lines: \u00e9'
    assert (warning["logger"], warning["level"]) == ("a.library", "warning")
    assert failed["level"] == "error"
    assert "ValueError: why" in failed["exception"]


def test_columns_show_the_same_events(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    window, library, *failed = read(LogSetup(style="console", job="flights"))
    assert re.fullmatch(
        r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[info +\] window_closed +job=flights rows=600"
        r" failed_checks=\['amount: .*'\]",
        window,
    )
    assert re.search(
        r"\[warning +\] the broker does not respond +\[a\.library\] job=flights", library
    )
    assert failed[-1] == "ValueError: 20"
    assert "a value of a feature" not in "".join(
        line for line in failed if "secret = " not in line
    ), "locals are not shown"
    assert not any("│" in line for line in failed)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_depend_on_the_terminal_and_on_no_color(
    read: Read, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert any("\x1b[" in line for line in read(LogSetup(style="console")))
    monkeypatch.setenv(name, value)
    assert not any("\x1b" in line for line in read(LogSetup(style="console")))


def test_events_below_the_level_are_not_logged(read: Read) -> None:
    assert [json.loads(line)["event"] for line in read(LogSetup("error"))] == [
        "the broker does not respond",
        "commit_failed",
    ]


def test_auto_means_columns_on_a_terminal_and_json_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (style_of("json"), style_of("console")) == ("json", "console")
    monkeypatch.setattr(sys, "stderr", StringIO())
    assert style_of("auto") == "json"
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert style_of("auto") == "console"
    assert style_of("json") == "json"
