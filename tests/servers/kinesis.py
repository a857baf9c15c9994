"""Kinesis emulated by kinesis-local, in a process of its own.

It is reliable for iterators, sequence numbers, splits, merges and the end of a shard. It throttles
nothing and trims nothing, gives a closed shard an ending number below those of its records, and
boto3 cannot read its SubscribeToShard.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    cache_dir,
    free_port,
    port_answers,
)

VERSION = "0.6.2"
REGION = "us-east-1"
PRELOAD = Path(__file__).parent / "loopback.cjs"
AT_ONCE = ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT")
READY_S = 20.0


def folder() -> Path:
    """Return the folder into which ``python -m tests.servers.setup`` installs kinesis-local."""
    return cache_dir() / f"kinesis-local-{VERSION}"


def why_missing() -> str | None:
    """Return why kinesis-local cannot be started here, or None if it can."""
    if shutil.which("node") is None:
        return "no node"
    if not (folder() / "node_modules" / "kinesis-local" / "main.js").exists():
        return "kinesis-local is not installed: python -m tests.servers.setup"
    return None


def boto(url: str, access_key: str, attempts: int = 3) -> Any:
    """Return a Kinesis client of an emulator."""
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": attempts})
    account = {"aws_access_key_id": access_key, "aws_secret_access_key": "testing"}
    return boto3.Session().client(
        "kinesis", endpoint_url=url, region_name=REGION, config=config, **account
    )


class KinesisEmulator:
    """kinesis-local on free ports of 127.0.0.1, started on entry, stopped on exit.

    ``url`` is the ``endpoint_url`` for clients, ``client`` is one of them, ``env`` holds the
    credentials of a random account. Raises DependencyMissing if kinesis-local is not installed,
    ServerFailed if it does not start.
    """

    def __init__(self) -> None:
        if reason := why_missing():
            raise DependencyMissing("kinesis", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-kinesis-"))
        self.port = free_port()
        self.tls_port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        account = str(10**11 + secrets.randbelow(9 * 10**11))
        self.env = {
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.process = Process("kinesis", self.dir / "kinesis.log")
        self.client = boto(self.url, account)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self.process.kill9()  # SIGTERM waits for connections that clients keep open
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self) -> None:
        """Start kinesis-local and wait for both of its ports."""
        code = folder() / "node_modules" / "kinesis-local"
        env = {
            **os.environ,
            "KINESIS_MOCK_CERT_PATH": str(code / "server.json"),
            "KINESIS_MOCK_PLAIN_PORT": str(self.port),
            "KINESIS_MOCK_TLS_PORT": str(self.tls_port),
            "LOG_LEVEL": "ERROR",
            **{f"{name}_DURATION": "50ms" for name in AT_ONCE},
        }
        command = ["node", "-r", str(PRELOAD), str(code / "main.js")]
        self.process.start(
            command, lambda: port_answers(self.port) and port_answers(self.tls_port), env=env
        )

    def create(self, stream: str, shards: int = 1) -> None:
        """Create a stream and wait until it is active."""
        create(self.client, stream, shards)

    def delete(self, stream: str) -> None:
        """Delete a stream and wait until it no longer exists."""
        self.client.delete_stream(StreamName=stream)
        deadline = time.monotonic() + READY_S
        while stream in self.client.list_streams()["StreamNames"]:
            assert time.monotonic() < deadline, f"{stream} still exists"
            time.sleep(0.05)

    def put(self, stream: str, values: Iterable[bytes], key: str = "") -> list[dict[str, Any]]:
        """Put records, keyed by their own text unless ``key`` is given; return the shard and
        sequence number of each.
        """
        entries = [
            {"Data": value, "PartitionKey": key or value.decode("latin-1")[:200]}
            for value in values
        ]
        placed: list[dict[str, Any]] = []
        for start in range(0, len(entries), 500):
            response = self.client.put_records(
                StreamName=stream, Records=entries[start : start + 500]
            )
            assert response["FailedRecordCount"] == 0
            placed += response["Records"]
        return placed

    def shards(self, stream: str) -> dict[str, dict[str, Any]]:
        """Return the shards by name, as the emulator lists them."""
        shards = self.client.list_shards(StreamName=stream)["Shards"]
        return {shard["ShardId"]: shard for shard in shards}

    def split(self, stream: str, shard: str) -> None:
        """Split a shard in the middle of its hash keys, and wait."""
        keys = self.shards(stream)[shard]["HashKeyRange"]
        middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
        self.client.split_shard(
            StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(middle)
        )
        active(self.client, stream)

    def merge(self, stream: str, shard: str, neighbour: str) -> None:
        """Merge two shards with adjacent hash keys, and wait."""
        self.client.merge_shards(
            StreamName=stream, ShardToMerge=shard, AdjacentShardToMerge=neighbour
        )
        active(self.client, stream)

    def resize(self, stream: str, shards: int) -> None:
        """Change the number of open shards, and wait."""
        self.client.update_shard_count(
            StreamName=stream, TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
        active(self.client, stream)


def create(client: Any, stream: str, shards: int) -> None:
    """Create a stream and wait until it is active."""
    client.create_stream(StreamName=stream, ShardCount=shards)
    active(client, stream)


def active(client: Any, stream: str) -> None:
    """Wait until a stream is active."""
    deadline = time.monotonic() + READY_S
    while _status(client, stream) != "ACTIVE":
        assert time.monotonic() < deadline, f"{stream} is not active"
        time.sleep(0.02)


def _status(client: Any, stream: str) -> str:
    summary = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    return str(summary["StreamStatus"])
