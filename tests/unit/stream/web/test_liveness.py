"""Whether the loop turns, as /healthz tells it."""

from __future__ import annotations

import time
from http import HTTPStatus

import pytest

from stream.web.liveness import Liveness


def test_a_standby_that_has_just_taken_over_is_alive_however_long_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, built_s = Liveness(60.0), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: built_s + 3_600)
    assert one.health("standby").status == HTTPStatus.OK
    assert one.health("owner").status == HTTPStatus.SERVICE_UNAVAILABLE
    one.begins()
    assert one.health("owner").status == HTTPStatus.OK
