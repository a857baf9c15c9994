"""/metrics, /healthz and /readyz over a real socket."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stream.errors import SourceUnavailable
from stream.web.readiness import Readiness
from stream.web.server import HttpServer
from tests.servers.base import free_port

OPENMETRICS_1 = "application/openmetrics-text;version=1.0.0"
OPENMETRICS_0 = "application/openmetrics-text;version=0.0.1"
TEXT = "text/plain;version=0.0.4"
PROMETHEUS_3 = (
    f"{OPENMETRICS_1};escaping=allow-utf-8;q=0.5,{OPENMETRICS_0};q=0.4,"
    f"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,{TEXT};q=0.2,*/*;q=0.1"
)
PROMETHEUS_2 = f"{OPENMETRICS_1},{OPENMETRICS_0};q=0.75,{TEXT};q=0.5,*/*;q=0.1"

PAGES = {
    "/healthz": lambda: Readiness(200, "ok"),
    "/readyz": lambda: Readiness(503, "behind: p by 100 s"),
}


@pytest.fixture
def server() -> Iterator[HttpServer]:
    registry = CollectorRegistry()
    Gauge("of_seven", "Always seven.", ["name"], registry=registry).labels('a "name"').set(7)
    server = HttpServer(registry, "127.0.0.1", 0, PAGES)
    server.start()
    yield server
    server.stop()


def get(server: HttpServer, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", headers={"Accept": accept}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_pages_are_served_and_other_paths_list_the_available_ones(server: HttpServer) -> None:
    assert get(server, "/healthz")[::2] == (200, "ok\n")
    assert get(server, "/readyz")[::2] == (503, "behind: p by 100 s\n")
    status, _, text = get(server, "/nothing")
    assert status == 404
    assert "/metrics" in text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (PROMETHEUS_3, "application/openmetrics-text"),
        (PROMETHEUS_2, "application/openmetrics-text"),
        ("*/*", "text/plain"),
        ("", "text/plain"),
    ],
)
def test_the_content_type_is_correct_and_accepted_by_prometheus(
    server: HttpServer, accept: str, kind: str
) -> None:
    """Prometheus 3 refuses a page without a known content type."""
    status, content_type, page = get(server, "/metrics", accept)
    assert status == 200
    assert content_type.startswith(kind)
    assert "version=" in content_type
    parse = parse_openmetrics if kind.startswith("application") else parse_text
    (family,) = parse(page)
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"name": 'a "name"'}, 7.0)
    ]


def test_the_port_is_free_after_stop_also_of_a_server_never_started() -> None:
    port = free_port()
    for _ in range(2):
        server = HttpServer(CollectorRegistry(), "127.0.0.1", port, PAGES)
        server.start()
        assert get(server, "/healthz")[0] == 200
        server.stop()
    never_started = HttpServer(CollectorRegistry(), "127.0.0.1", port, PAGES)
    never_started.stop()


def test_a_port_in_use_names_the_key_to_change(server: HttpServer) -> None:
    with pytest.raises(SourceUnavailable, match=r"http\.port"):
        HttpServer(CollectorRegistry(), "127.0.0.1", server.port, PAGES)


def test_a_client_that_sends_nothing_does_not_block_others(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server, "/healthz")[0] == 200
