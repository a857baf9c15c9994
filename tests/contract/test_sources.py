"""The contract of every source in ``stream/sources/``; a new one adds its rig to ``RIGS``.

The laws are in :mod:`stream.testing.source`; what holds only for driftline's own sources is here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from detectors.components import find, type_of
from stream.events import Position, RawBatch
from stream.sources.base import Source
from stream.sources.jsonl.source import Jsonl
from stream.sources.kafka.source import Kafka
from stream.sources.kinesis.source import Kinesis
from stream.sources.s3.keys import hour_folder
from stream.sources.s3.source import S3
from stream.sources.s3.transform_lines import Chosen, TransformLines
from stream.testing.source import SourceContract, SourceRig
from tests.servers.kafka import KafkaBroker
from tests.servers.kinesis import KinesisEmulator
from tests.servers.moto import REGION, MotoServer


class KafkaRig:
    def __init__(
        self, broker: KafkaBroker, topic: str, client: Literal["columns", "plain", "fast"]
    ) -> None:
        self._broker = broker
        self._topic = topic
        self._written = [0, 0]
        self._client = client

    def source(self) -> Kafka:
        return Kafka(
            bootstrap_servers=[self._broker.bootstrap], topic=self._topic, client=self._client
        )

    def write(self, values: list[bytes]) -> None:
        self._broker.produce(
            self._topic,
            [(n % 2, None, value, [], 1_700_000_000_000 + n) for n, value in enumerate(values)],
        )
        self._written = [
            self._written[0] + (len(values) + 1) // 2,
            self._written[1] + len(values) // 2,
        ]

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]

    def lose_the_beginning(self) -> None:
        for partition, written in enumerate(self._written):
            self._broker.delete_records(self._topic, partition, written)


class KinesisRig:
    """An emulator without retention: the beginning is lost by recreating the stream."""

    def __init__(self, emulator: KinesisEmulator, stream: str) -> None:
        self._emulator = emulator
        self._stream = stream

    def source(self) -> Kinesis:
        return Kinesis(stream=self._stream, region="us-east-1", endpoint_url=self._emulator.url)

    def write(self, values: list[bytes]) -> None:
        self._emulator.put(self._stream, values)

    def lose_the_beginning(self) -> None:
        self._emulator.delete(self._stream)
        self._emulator.create(self._stream, 2)

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at - 1]


class FileRig:
    def __init__(self, path: Path) -> None:
        self._path = path / "events.jsonl"
        self._path.touch()

    def source(self) -> Jsonl:
        return Jsonl(path=str(self._path), follow=True)

    def write(self, values: list[bytes]) -> None:
        with self._path.open("ab") as file:
            file.writelines(value + b"\n" for value in values)

    def lose_the_beginning(self) -> None:
        self._path.write_bytes(b"")

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


class FolderRig:
    def __init__(self, path: Path) -> None:
        self._folder = path
        self._files = 0

    def source(self) -> Jsonl:
        return Jsonl(path=str(self._folder), follow=True)

    def write(self, values: list[bytes]) -> None:
        for start in range(0, len(values), 7):
            self._files += 1
            lines = b"".join(value + b"\n" for value in values[start : start + 7])
            (self._folder / f"hour-{self._files // 4:02d}").mkdir(exist_ok=True)
            (
                self._folder / f"hour-{self._files // 4:02d}" / f"part-{self._files:04d}.jsonl"
            ).write_bytes(lines)

    def lose_the_beginning(self) -> None:
        for file in self._folder.rglob("*.jsonl"):
            file.unlink()

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


class S3Rig:
    """Objects of the present hour, in two folders, or of two variants with ``dated``."""

    def __init__(self, moto: MotoServer, dated: bool) -> None:
        self._moto = moto
        self._s3 = moto.client("s3")
        self._bucket = f"contract-{time.monotonic_ns()}"
        self._s3.create_bucket(Bucket=self._bucket)
        now_ms = int(time.time() * 1000)
        roots = ["ep/a/", "ep/b/"]
        self._folders = [hour_folder(root, now_ms) for root in roots] if dated else roots
        self._objects = 0

    def source(self) -> S3:
        return S3(
            bucket=self._bucket,
            prefix="ep",
            follow=True,
            relist="300ms",
            region=REGION,
            endpoint_url=self._moto.url,
        )

    def write(self, values: list[bytes]) -> None:
        for start in range(0, len(values), 7):
            folder = self._folders[self._objects % 2].removesuffix("/")
            self._s3.put_object(
                Bucket=self._bucket,
                Key=f"{folder}/{self._objects:05d}.jsonl",
                Body=b"".join(value + b"\n" for value in values[start : start + 7]),
            )
            self._objects += 1

    def lose_the_beginning(self) -> None:
        for stored in self._s3.list_objects_v2(Bucket=self._bucket)["Contents"]:
            self._s3.delete_object(Bucket=self._bucket, Key=stored["Key"])

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


class ManifestRig:
    """Objects of transform jobs that started in this hour, two of them named by each manifest.

    The lines stay without their envelopes, so that a record is what was written.
    """

    def __init__(self, moto: MotoServer) -> None:
        self._moto = moto
        self._s3 = moto.client("s3")
        self._bucket = f"contract-{time.monotonic_ns()}"
        self._s3.create_bucket(Bucket=self._bucket)
        self._hour = hour_folder("capture/output/", int(time.time() * 1000))
        self._jobs = 0

    def source(self) -> S3:
        return S3(
            bucket=self._bucket,
            prefix="capture",
            manifests="output",
            follow=True,
            relist="300ms",
            region=REGION,
            endpoint_url=self._moto.url,
        )

    def write(self, values: list[bytes]) -> None:
        for start in range(0, len(values), 14):
            self._jobs += 1
            folder = f"results/job-{self._jobs:04d}/"
            for name, first in (("a.csv.out", start), ("b.csv.out", start + 7)):
                lines = b"".join(value + b"\n" for value in values[first : first + 7])
                self._s3.put_object(Bucket=self._bucket, Key=f"{folder}{name}", Body=lines)
            manifest = [{"prefix": f"s3://{self._bucket}/{folder}"}, "a.csv.out", "b.csv.out"]
            key = f"{self._hour}/job-{self._jobs:04d}.json"
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=json.dumps(manifest).encode())

    def lose_the_beginning(self) -> None:
        for stored in self._s3.list_objects_v2(Bucket=self._bucket)["Contents"]:
            self._s3.delete_object(Bucket=self._bucket, Key=stored["Key"])

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


RIGS = {
    "kafka-columns": "kafka",
    "kafka-plain": "kafka",
    "kafka-fast": "kafka",
    "kinesis": "kinesis",
    "jsonl": "jsonl",
    "jsonl-folder": "jsonl",
    "s3-hours": "s3",
    "s3-folders": "s3",
    "s3-manifests": "s3",
}
"""Rig -> the type of the source it tests."""


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    server = RIGS[name]
    server = {"s3": "moto"}.get(server, server)
    return [] if server == "jsonl" else [getattr(pytest.mark, server)]


def test_every_source_has_a_rig() -> None:
    assert set(find("stream.sources", Source, "driftline.sources")) == set(RIGS.values())


class TestSources(SourceContract):
    @pytest.fixture(params=[pytest.param(name, marks=marks_of(name)) for name in RIGS])
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> SourceRig:
        if request.param.startswith("kafka"):
            make_topic: Callable[[int], str] = request.getfixturevalue("make_topic")
            client = request.param.removeprefix("kafka-")
            return KafkaRig(request.getfixturevalue("kafka"), make_topic(2), client)
        if request.param == "kinesis":
            stream = request.getfixturevalue("make_stream")(2)
            return KinesisRig(request.getfixturevalue("kinesis"), stream)
        if request.param == "s3-manifests":
            monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
            monkeypatch.setattr(
                TransformLines, "records", lambda _, key, starts, lines: Chosen(starts, lines)
            )
            return ManifestRig(request.getfixturevalue("moto"))
        if request.param.startswith("s3"):
            return S3Rig(request.getfixturevalue("moto"), request.param == "s3-hours")
        return FileRig(tmp_path) if request.param == "jsonl" else FolderRig(tmp_path)

    def test_the_folder_is_named_like_the_type(self, rig: SourceRig) -> None:
        source = rig.source()
        assert type(source).__module__.startswith(f"stream.sources.{type_of(source)}.")
