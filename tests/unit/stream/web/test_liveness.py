"""The liveness of the loop and the age of the last check, as reported by the probes."""

from __future__ import annotations

import time
from http import HTTPStatus

import pytest

from stream.web.liveness import Liveness


def test_a_standby_is_alive_after_any_wait_and_once_it_has_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    liveness = Liveness(60.0)
    built_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: built_s + 3_600)
    assert liveness.health("standby").status == HTTPStatus.OK
    assert liveness.health("owner").status == HTTPStatus.SERVICE_UNAVAILABLE
    liveness.reset()
    assert liveness.health("owner").status == HTTPStatus.OK


def test_a_loop_that_writes_to_s3_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    liveness = Liveness(60.0)
    began_s = time.monotonic()
    liveness.check({}, 0, [])
    liveness.suspend()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + 90)
    assert liveness.health("owner").status == HTTPStatus.OK
    assert liveness.readiness("owner", may_deliver=True).text == "stuck for 90 s"
    liveness.beat()
    monkeypatch.setattr(time, "monotonic", lambda: began_s + 180)
    assert liveness.health("owner").status == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_check_returns_the_readiness_only_when_its_status_changes() -> None:
    liveness = Liveness(60.0)
    changed = liveness.check({}, 0, [])
    assert changed is not None
    assert changed.text == "owner"
    assert liveness.check({}, 0, []) is None
    paused = liveness.check({}, 0, ["sns"])
    assert paused is not None
    assert paused.text == "paused: sns"
