"""Log lines for programs and for people."""

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

Read = Callable[[LogSetup], list[str]]


class Terminal(StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def spoken(logs: LogSetup) -> None:
    """A line of ours, a warning of a library, and a traceback from a function that holds a value."""
    logs.set_up()
    structlog.get_logger("driftline").info("window", rows=600, found=["amount: completeness_check"])
    logging.getLogger("some.library").warning("%s does not answer", "the broker")
    try:
        secret = "a value of a feature"
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("driftline").exception("failed")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """``read(logs)`` is what comes on a terminal once ``logs`` are set up."""
    root, level = logging.getLogger(), logging.getLogger().level
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def written(logs: LogSetup) -> list[str]:
        stderr = Terminal()
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(root, "handlers", [])
        spoken(logs)
        return stderr.getvalue().splitlines()

    yield written
    structlog.reset_defaults()
    root.setLevel(level)


def test_json_is_an_object_a_line_and_names_the_job_in_each(read: Read) -> None:
    ours, library, failed = (json.loads(line) for line in read(LogSetup(job="flights")))
    assert (ours["event"], ours["job"], ours["level"], ours["rows"]) == (
        "window",
        "flights",
        "info",
        600,
    )
    assert (library["event"], library["job"], library["logger"]) == (
        "the broker does not answer",
        "flights",
        "some.library",
    )
    assert "ValueError: 20" in failed["exception"]
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", ours["timestamp"])


def test_columns_for_people_show_the_same(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    ours, library, *failed = read(LogSetup(style="console", job="flights"))
    assert re.fullmatch(
        r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[info +\] window +job=flights rows=600 found=\['amount:"
        r" .*'\]",
        ours,
    )
    assert re.search(
        r"\[warning +\] the broker does not answer +\[some\.library\] job=flights", library
    )
    assert failed[-1] == "ValueError: 20"
    assert "a value of a feature" not in "".join(
        line for line in failed if "secret = " not in line
    ), "locals are not shown"
    assert not any("│" in line for line in failed)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_for_terminals_that_want_them(
    read: Read, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert any("\x1b[" in line for line in read(LogSetup(style="console")))
    monkeypatch.setenv(name, value)
    assert not any("\x1b" in line for line in read(LogSetup(style="console")))


def test_a_level_hides_what_is_below_it(read: Read) -> None:
    assert [json.loads(line)["event"] for line in read(LogSetup("error"))] == [
        "the broker does not answer",
        "failed",
    ]


def test_auto_is_for_people_on_a_terminal_and_for_programs_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (style_of("json"), style_of("console")) == ("json", "console")
    monkeypatch.setattr(sys, "stderr", StringIO())
    assert style_of("auto") == "json"
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert style_of("auto") == "console"
    assert style_of("json") == "json"
