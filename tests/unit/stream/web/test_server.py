"""/metrics, /healthz and /readyz over a real socket."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stream.errors import HttpUnavailable
from stream.web import connections
from stream.web.connections import CONNECTIONS
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
    with pytest.raises(HttpUnavailable, match=r"http\.port"):
        HttpServer(CollectorRegistry(), "127.0.0.1", server.port, PAGES)


def test_a_client_that_sends_nothing_does_not_block_others(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server, "/healthz")[0] == 200


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_silent_connections_neither_exhaust_descriptors_nor_lock_out_a_probe(
    server: HttpServer,
) -> None:
    """Each of the 300 takes a descriptor of this test; the server may add one for each it keeps."""
    before = descriptors()
    with ExitStack() as clients:
        for _ in range(300):
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        assert get(server, "/healthz")[0] == 200
        assert descriptors() - before - 300 <= 2 * CONNECTIONS


@pytest.mark.parametrize("request_", [b"", b"GET /metrics HTTP/1.1\r\nHost: a\r\n"])
def test_a_request_that_is_not_complete_in_time_ends_the_connection(
    request_: bytes, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTION_S", 0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(request_)
        assert client.recv(1) == b""


def test_a_connection_is_kept_between_requests(server: HttpServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        kept = connection.sock
    assert connection.sock is kept
    connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_https_is_served_with_the_certificate(certificate: tuple[Path, Path]) -> None:
    public, key = certificate
    server = HttpServer(CollectorRegistry(), "localhost", 0, PAGES, certificate=public, key=key)
    server.start()
    try:
        assert server.address.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(public))
        with urllib.request.urlopen(f"{server.address}/healthz", context=trusted) as response:
            assert response.read() == b"ok\n"
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            urllib.request.urlopen(f"http://localhost:{server.port}/healthz", timeout=5)
    finally:
        server.stop()


def test_a_certificate_that_cannot_be_read_names_the_key_to_correct(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    public, key = certificate
    for wrong in ((tmp_path / "none.pem", key), (key, public)):
        with pytest.raises(HttpUnavailable, match=r"http\.tls"):
            HttpServer(
                CollectorRegistry(), "localhost", 0, PAGES, certificate=wrong[0], key=wrong[1]
            )


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer wrong", 401),
        ("Bearer s3cret2", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("", 401),
    ],
)
def test_metrics_require_the_token_and_probes_do_not(authorization: str, status: int) -> None:
    """Without the token a page says no more than its status does."""
    server = HttpServer(CollectorRegistry(), "127.0.0.1", 0, PAGES, token="s3cret")
    server.start()
    try:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/metrics", headers={"Authorization": authorization})
        response = connection.getresponse()
        assert response.status == status
        assert b"s3cret" not in response.read()
        connection.request("GET", "/readyz", headers={"Authorization": authorization})
        response = connection.getresponse()
        shown = b"behind: p by 100 s\n" if status == 200 else b"Service Unavailable\n"
        assert (response.status, response.read()) == (503, shown)
        connection.close()
    finally:
        server.stop()
