"""Sink ``http_post`` keeps the contract of a sink, and what its own docstring says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from driftline_example.http_post import HttpPost

from sinks.errors import SinkRejected, SinkRetry
from stream.testing.reports import report, signal
from stream.testing.sink import SinkContract, SinkRig


class Receiver(HTTPServer):
    """A receiver that drops repeats by their key, and answers with the status it is set to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.received: dict[str, str] = {}
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}/drift"


class Receive(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status == 204:
            key = self.headers["Idempotency-Key"]
            self.server.received.setdefault(key, self.headers["X-Driftline-Kind"])
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class HttpPostRig:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def sink(self) -> HttpPost:
        return HttpPost(url=self._receiver.url)

    def arrived(self, delivery: Any) -> list[str]:
        return list(self._receiver.received)

    def unreachable(self) -> HttpPost:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            return HttpPost(url=f"http://127.0.0.1:{closed.getsockname()[1]}/")


class TestHttpPost(SinkContract):
    @pytest.fixture
    def rig(self, receiver: Receiver) -> SinkRig:
        return HttpPostRig(receiver)


def test_a_refused_item_is_named_and_those_before_it_are_delivered(receiver: Receiver) -> None:
    receiver.statuses = [204, 422]
    with pytest.raises(SinkRejected) as refused:
        HttpPost(url=receiver.url).open("job").deliver([report(0), report(1), report(2)])
    assert refused.value.index == 1
    assert list(receiver.received) == [report(0).id]


def test_a_busy_receiver_is_retried_after_the_time_that_it_asks_for(receiver: Receiver) -> None:
    receiver.statuses = [204, 503]
    with pytest.raises(SinkRetry) as busy:
        HttpPost(url=receiver.url).open("job").deliver([report(0), signal(0), report(1)])
    assert (busy.value.delivered, busy.value.after_s) == (1, 7.0)


def test_a_redirect_is_retried_and_not_followed_without_the_item(receiver: Receiver) -> None:
    receiver.statuses = [302]
    with pytest.raises(SinkRetry, match="302"):
        HttpPost(url=receiver.url).open("job").deliver([report(0)])
    assert receiver.received == {}


def test_a_name_of_any_letters_can_be_sent(receiver: Receiver) -> None:
    HttpPost(url=receiver.url).open("job").deliver([report(0, model="模型\n")])
    assert list(receiver.received) == [quote(report(0, model="模型\n").id)]


def test_a_header_distinguishes_reports_and_signals(receiver: Receiver) -> None:
    HttpPost(url=receiver.url).open("job").deliver([report(0), signal(0)])
    assert list(receiver.received.values()) == ["report", "signal"]


@pytest.mark.parametrize("url", ["", "host/path", "ftp://host/path", "http:///path"])
def test_an_invalid_address_is_a_fault_of_its_key(url: str) -> None:
    assert [fault.key for fault in HttpPost(url=url).check()] == ["url"]
