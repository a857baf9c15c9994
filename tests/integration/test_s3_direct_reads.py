"""Objects read past the AWS client: the same bytes, credentials and errors as with it.

S3 is moto's server, an emulator.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from sinks.aws.client import client, new_session
from stream.sources.s3 import direct
from stream.sources.s3.client import S3Client, S3Error
from stream.sources.s3.direct import Chunk, DirectReads
from tests.integration.machines import BUCKET
from tests.servers.base import LOOPBACK
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.moto import REGION, MotoServer

DENIED = "s3:GetObject on arn:aws:s3:::"


@pytest.fixture
def s3(s3: Any) -> Any:
    s3.put_object(Bucket=BUCKET, Key="first", Body=b"1")
    return s3


def learned(url: str) -> DirectReads:
    """Reads of a bucket from which the AWS client has read an object."""
    session = new_session()
    aws = client("s3", REGION, url, session=session)
    reads = DirectReads(aws, session)
    aws.get_object(Bucket=BUCKET, Key="first")["Body"].read()
    reads.learn(BUCKET)
    return reads


def source_client(url: str, first: bytes = b"1") -> tuple[S3Client, list[str]]:
    """A client that has read an object of the bucket, and a list of the requests of boto3."""
    reading = S3Client(BUCKET, "", REGION, url, 2)
    sent: list[str] = []
    reading._boto.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: sent.append(params["url_path"])
    )
    assert reading.read("first", 0, None, "").data == first
    assert sent == ["/first"], "the AWS client reads the first object"
    return reading, sent


def test_only_the_first_object_of_a_bucket_is_read_by_the_aws_client(
    moto: MotoServer, s3: Any
) -> None:
    reading, sent = source_client(moto.url)
    etag = s3.put_object(Bucket=BUCKET, Key="a", Body=b"0123456789")["ETag"].strip('"')
    modified = s3.head_object(Bucket=BUCKET, Key="a")["LastModified"]
    modified_ms = int(modified.timestamp() * 1000)
    assert reading.read("a", 0, None, "") == Chunk(b"0123456789", etag, 10, modified_ms)
    assert reading.read("a", 8, 100, etag) == Chunk(b"89", etag, 10, modified_ms)
    assert sent == ["/first"]


@pytest.mark.parametrize(
    "key", ["a b/ü+%20#?&=~.jsonl", "2026/11/30/03/a:b,c@d(1)[2]{3}*'!$;.jsonl", "a%2Fb"]
)
def test_a_key_of_any_characters_names_its_object(moto: MotoServer, s3: Any, key: str) -> None:
    reads = learned(moto.url)
    s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    chunk = reads.read(BUCKET, key, 0, None, "")
    assert chunk is not None
    assert chunk.data == key.encode()


@pytest.mark.parametrize("key", ["a//b", "a/../b", "/b", "a/"])
def test_a_key_that_obstore_would_change_is_read_by_the_aws_client(
    moto: MotoServer, s3: Any, key: str
) -> None:
    reads = learned(moto.url)
    for other in ("b", "a/b", "a"):
        s3.put_object(Bucket=BUCKET, Key=other, Body=b"another object")
    assert reads.read(BUCKET, key, 0, None, "") is None


def test_content_that_is_encoded_arrives_as_it_is_stored(moto: MotoServer, s3: Any) -> None:
    reads = learned(moto.url)
    s3.put_object(Bucket=BUCKET, Key="z", Body=b"\x1f\x8bxyz", ContentEncoding="gzip")
    chunk = reads.read(BUCKET, "z", 0, None, "")
    assert chunk is not None
    assert chunk.data == b"\x1f\x8bxyz"


def test_errors_are_those_of_the_aws_client(moto: MotoServer, s3: Any) -> None:
    reading, _ = source_client(moto.url)
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")
    with pytest.raises(S3Error, match="NoSuchKey") as gone:
        reading.read("b", 0, None, "")
    with pytest.raises(S3Error, match="PreconditionFailed") as changed:
        reading.read("a", 0, None, "0123")
    with pytest.raises(S3Error, match="InvalidRange") as outside:
        reading.read("a", 5, 10, "")
    kinds = [error.value.kind for error in (gone, changed, outside)]
    assert kinds == ["no_object", "changed", "changed"]


def test_a_permission_that_is_taken_away_is_named(
    moto: MotoServer, s3: Any, allowed: Callable[[str], None]
) -> None:
    allowed(policy("s3:GetObject"))
    reading, sent = source_client(moto.url)
    assert reading.read("first", 0, None, "").data == b"1"
    assert sent == ["/first"]
    moto.replace_policy(policy("s3:ListBucket"))
    with pytest.raises(S3Error) as denied:
        reading.read("first", 0, None, "")
    assert (denied.value.kind, denied.value.code) == ("denied", "AccessDenied")
    assert denied.value.permission.startswith(DENIED)


def policy(action: str) -> str:
    statements = [{"Effect": "Allow", "Action": action, "Resource": "*"}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_failure_is_left_to_the_aws_client_for_a_time(
    moto: MotoServer, s3: Any, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "FIRST_PAUSE_S", 0.5)
    reads = learned(proxy.url)
    assert reads.read(BUCKET, "first", 0, None, "") is not None
    proxy.fault = "response lost"
    assert reads.read(BUCKET, "first", 0, None, "") is None
    met = proxy.faults_met
    proxy.fault = ""
    assert reads.read(BUCKET, "first", 0, None, "") is None, "it is not asked again at once"
    time.sleep(0.6)
    assert reads.read(BUCKET, "first", 0, None, "") is not None
    assert met >= 1


def test_renewed_credentials_of_a_profile_are_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(direct, "CREDENTIALS_AGE", timedelta(seconds=1))
    issued = tmp_path / "issued.json"
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = cat {issued}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "p")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with Answering([1000] * 4) as server:
        issued.write_text(issue("KEYA"))
        reads = learned(server.url)
        for key in ("KEYA", "KEYB", "KEYC"):
            issued.write_text(issue(key))
            time.sleep(0.2)  # obstore renews no more often than each 0.1 s
            assert reads.read(BUCKET, "first", 0, None, "") is not None
    assert server.keys == ["KEYA", "KEYA", "KEYB", "KEYC"]


def issue(key: str) -> str:
    """What a credential process prints; it ends so soon that each request renews it."""
    ends = datetime.now(UTC) + timedelta(minutes=5)
    names = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "secret"}
    return json.dumps({**names, "Expiration": ends.isoformat()})


def test_a_body_that_is_cut_off_is_no_object(moto: MotoServer) -> None:
    with Answering([1000, 400, 400]) as server:
        reading, _ = source_client(server.url, b"x" * 1000)
        with pytest.raises(S3Error) as cut:
            reading.read("first", 0, None, "")
    assert cut.value.kind == "transient"
    assert len(server.keys) == 3, "obstore and then the AWS client meet the fault"


class Answering:
    """A server that sends so many of 1,000 bytes; ``keys`` are the access keys of the requests."""

    def __init__(self, lengths: list[int]) -> None:
        self.keys: list[str] = []
        answering = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                signed = self.headers["Authorization"]
                answering.keys.append(signed.partition("Credential=")[2].partition("/")[0])
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.send_header("ETag", '"0"')
                self.send_header("Last-Modified", "Sun, 15 Jun 2025 15:06:40 GMT")
                self.end_headers()
                self.wfile.write(b"x" * lengths[len(answering.keys) - 1])
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
                """Log nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Request)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
