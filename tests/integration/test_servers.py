"""Brokers, emulators and proxies do what the other integration tests rely on."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.servers.base import LOOPBACK, listening_addresses, port_answers
from tests.servers.kafka import KafkaBroker
from tests.servers.kinesis import KinesisEmulator, boto, create
from tests.servers.microburst import Microburst
from tests.servers.ministack import Ministack
from tests.servers.moto import MotoServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.shared import shared_broker
from tests.servers.toxiproxy import Toxiproxy

EXPOSITION = b"# TYPE gauge_of_seven gauge\ngauge_of_seven 7\n"


def loopback_ports(pid: int) -> set[int]:
    """The listening ports of a process, all of which must be bound to 127.0.0.1."""
    addresses = listening_addresses(pid)
    assert addresses
    assert {address for address, _ in addresses} == {LOOPBACK}
    return {port for _, port in addresses}


def read_all(
    broker: KafkaBroker, topic: str, partitions: int, count: int
) -> list[tuple[int, int, bytes]]:
    parts = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="none")
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    records = []
    for _ in range(100):
        for batch in consumer.poll(200).values():
            records += [(record.partition, record.timestamp, record.value) for record in batch]
        if len(records) >= count:
            break
    consumer.close()
    return sorted(records)


def test_records_survive_a_killed_broker(own_kafka: KafkaBroker) -> None:
    own_kafka.create_topic("survivors", partitions=2)
    sent = [(i % 2, b"key", b"value %03d" % i, [("n", b"%d" % i)], 1_000 + i) for i in range(100)]
    offsets = own_kafka.produce("survivors", sent)
    assert offsets == [i // 2 for i in range(100)]

    expected = sorted((partition, at, value) for partition, _, value, _, at in sent)
    assert read_all(own_kafka, "survivors", 2, 100) == expected
    own_kafka.kill9()
    assert not own_kafka.process.alive
    own_kafka.start()
    assert read_all(own_kafka, "survivors", 2, 100) == expected


def test_the_broker_listens_on_the_loopback_only(own_kafka: KafkaBroker) -> None:
    assert {own_kafka.port, own_kafka.sasl_port} < loopback_ports(own_kafka.process.pid)


def test_a_recreated_topic_starts_at_offset_zero(
    kafka: KafkaBroker, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    assert kafka.produce(topic, [(0, None, b"a", [], 1), (0, None, b"b", [], 2)]) == [0, 1]
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    assert kafka.produce(topic, [(0, None, b"c", [], 3)]) == [0]


def test_workers_share_one_broker_which_stops_with_its_last_user(tmp_path: Path) -> None:
    with shared_broker(tmp_path) as first, shared_broker(tmp_path) as second:
        assert isinstance(first, KafkaBroker)
        assert not isinstance(second, KafkaBroker)
        first.create_topic("shared")
        assert second.produce("shared", [(0, None, b"value", [], 1)]) == [0]
    assert not first.process.alive


def test_a_broker_is_restarted_after_its_last_user_has_left_it(tmp_path: Path) -> None:
    for _ in range(2):
        with shared_broker(tmp_path) as broker:
            assert isinstance(broker, KafkaBroker)
            assert port_answers(broker.port)


def test_an_sns_message_arrives_in_the_subscribed_queue(moto: MotoServer) -> None:
    topic, queue = moto.topic_with_queue("signals")
    attribute = {"model": {"DataType": "String", "StringValue": "flights"}}
    moto.sns.publish(TopicArn=topic, Message="drifted", MessageAttributes=attribute)
    (message,) = moto.messages(queue)
    body = json.loads(message["Body"])
    assert body["Message"] == "drifted"
    assert body["MessageAttributes"]["model"]["Value"] == "flights"
    assert moto.messages(queue) == []


def test_moto_listens_on_the_loopback_only_and_is_empty_at_first(moto: MotoServer) -> None:
    assert loopback_ports(moto.process.pid) == {moto.port}
    assert moto.sns.list_topics()["Topics"] == []


def test_kinesis_local_listens_on_the_loopback_only_and_ends_a_split_shard(
    kinesis: KinesisEmulator, make_stream: Callable[..., str]
) -> None:
    assert loopback_ports(kinesis.process.pid) == {kinesis.port, kinesis.tls_port}
    stream = make_stream()
    (placed,) = kinesis.put(stream, [b"value"])
    kinesis.split(stream, placed["ShardId"])
    iterator = kinesis.client.get_shard_iterator(
        StreamName=stream, ShardId=placed["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    response = kinesis.client.get_records(ShardIterator=iterator)
    assert [record["Data"] for record in response["Records"]] == [b"value"]
    assert "NextShardIterator" not in response
    assert len(response["ChildShards"]) == 2


def test_microburst_listens_on_the_loopback_only_and_fails_calls_as_configured(
    kinesis: KinesisEmulator, microburst: Microburst, make_stream: Callable[..., str]
) -> None:
    assert loopback_ports(microburst.process.pid) == {microburst.port}
    stream = make_stream()
    client = boto(microburst.url, kinesis.env["AWS_ACCESS_KEY_ID"], attempts=1)
    microburst.refuse("ListShards", "LimitExceededException", 2)
    codes = []
    for _ in range(3):
        try:
            client.list_shards(StreamName=stream)
        except client.exceptions.LimitExceededException as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["LimitExceededException"] * 2


def test_ministack_listens_on_the_loopback_only_and_pushes_records(ministack: Ministack) -> None:
    assert loopback_ports(ministack.process.pid) == {ministack.port}
    create(ministack.kinesis, "pushed", 1)
    placed = ministack.kinesis.put_record(StreamName="pushed", Data=b"value", PartitionKey="k")
    summary = ministack.kinesis.describe_stream_summary(StreamName="pushed")
    arn = summary["StreamDescriptionSummary"]["StreamARN"]
    registered = ministack.kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="pushed")
    subscription = ministack.kinesis.subscribe_to_shard(
        ConsumerARN=registered["Consumer"]["ConsumerARN"],
        ShardId=placed["ShardId"],
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    event = next(iter(subscription["EventStream"]))["SubscribeToShardEvent"]
    assert [record["Data"] for record in event["Records"]] == [b"value"]


def test_toxiproxy_listens_on_the_loopback_only_and_can_be_closed(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy
) -> None:
    assert toxiproxy.port in loopback_ports(toxiproxy.process.pid)
    with toxiproxy.down():
        assert not port_answers(toxiproxy.port)
    assert port_answers(toxiproxy.port)


@pytest.fixture
def exporter() -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(EXPOSITION)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_prometheus_scrapes_an_exporter(
    exporter: int, prometheus: Callable[..., PrometheusServer]
) -> None:
    server = prometheus(exporter)
    assert server.value("gauge_of_seven") == 7.0
    assert server.query("no_such_series") == []
    assert loopback_ports(server.process.pid) == {server.port}
