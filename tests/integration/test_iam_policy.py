"""The policies in ``deploy/`` are enough, and each of their statements is needed.

moto's server (an emulator) enforces actions and resources. Conditions, the topic and the key, which
it does not check, are decided from the requests that were made (:mod:`tests.support.iam`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final

import boto3
import botocore.client
import pytest
from structlog.testing import capture_logs

from sinks.base import Published, Sink
from sinks.cloudwatch import Cloudwatch
from sinks.errors import SinkRetry
from sinks.s3 import S3 as ReportsSink
from sinks.sns import Sns
from stream.check.alarms.listing import alarmed_metrics
from stream.config.model import S3Config
from stream.sources.s3.client import S3Error, unavailable
from stream.sources.s3.source import S3 as CapturesSource
from stream.sources.s3.source import Notices
from stream.state.s3.object import ObjectMetadata, S3RequestFailed, StateObject
from stream.testing.reports import report, signal
from stream.testing.schedule_reports import schedule_report
from tests.servers.moto import CREDENTIALS, MotoServer
from tests.support.iam import REGION, Policy, Use, allows, enforceable, uses_of, without
from tests.support.paths import ROOT

BUCKET: Final = "my-bucket"
CAPTURE: Final = "datacapture/churn/AllTraffic/2026/11/29/07/00-01-000-a.jsonl"
TOPIC: Final = f"arn:aws:sns:{REGION}:123456789012:retrain"
KEY: Final = f"arn:aws:kms:{REGION}:123456789012:key/00000000-0000-0000-0000-000000000000"
SERVICE: Final[Policy] = json.loads((ROOT / "deploy" / "iam-policy.json").read_text())
MIGRATION: Final[Policy] = json.loads((ROOT / "deploy" / "iam-policy-migration.json").read_text())


class Account:
    """A bucket with a capture, a queue with its notice, and a topic, as in the policies."""

    def __init__(self, moto: MotoServer) -> None:
        self.url = moto.url
        s3, sqs, sns = (self.client(service) for service in ("s3", "sqs", "sns"))
        place = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        self.queue = sqs.create_queue(QueueName="driftline-captures")["QueueUrl"]
        assert sns.create_topic(Name="retrain")["TopicArn"] == TOPIC
        s3.put_object(Bucket=BUCKET, Key=CAPTURE, Body=b"{}\n")
        of_object = {"bucket": {"name": BUCKET}, "object": {"key": CAPTURE, "eTag": "e", "size": 3}}
        notice = {"eventName": "ObjectCreated:Put", "eventTime": "2026-11-29T07:00:02Z"}
        records = {"Records": [{"eventSource": "aws:s3", **notice, "s3": of_object}]}
        sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(records))

    def client(self, service: str) -> Any:
        return boto3.Session().client(service, region_name=REGION, endpoint_url=self.url)

    @property
    def source(self) -> CapturesSource:
        return CapturesSource(
            bucket=BUCKET,
            prefix="datacapture/churn/",
            follow=True,
            notices=Notices(sqs_url=self.queue),
            region=REGION,
            endpoint_url=self.url,
        )


def reports_sink(account: Account, **more: Any) -> ReportsSink:
    return ReportsSink(
        bucket=BUCKET,
        prefix="reports/",
        layout="sagemaker",
        schedule="1h",
        region=REGION,
        endpoint_url=account.url,
        **more,
    )


def list_captures(account: Account) -> None:
    account.source.open("churn").close()


def read_captures(account: Account) -> None:
    with closing(account.source.client()) as s3:
        assert s3.read(CAPTURE, 0, None, "").data == b"{}\n"


def take_notices(account: Account) -> None:
    queue = account.source.queue()
    assert queue is not None
    with closing(queue):
        objects, _ = queue.receive()
        assert [info.key for info in objects] == [CAPTURE]
        queue.delete_done([CAPTURE])


def list_reports(account: Account) -> None:
    """The sink works without it: a job that lost its state then knows of no earlier reports."""
    put_reports(account)
    if not reports_sink(account).has_reports_of("churn"):
        raise SinkRetry("not listed", permission="s3:ListBucket")


def deliver(sink: Sink, items: list[Published]) -> None:
    with closing(sink.open("churn")) as delivery:
        delivery.deliver(items)


def put_reports(account: Account) -> None:
    deliver(reports_sink(account), [schedule_report(), report()])


def put_encrypted_reports(account: Account) -> None:
    deliver(reports_sink(account, kms_key_id=KEY), [schedule_report()])


def put_metrics(account: Account) -> None:
    sink = Cloudwatch(layout="sagemaker", region=REGION, endpoint_url=account.url)
    deliver(sink, [schedule_report()])


def find_repeats(account: Account) -> None:
    """The sink works without it: a repeat after a crash is then put again."""
    with capture_logs() as events:
        put_metrics(account)
    for event in events:
        if event["event"] == "repeats_not_looked_up":
            raise SinkRetry(event["reason"])


def send_signals(account: Account) -> None:
    deliver(Sns(topic_arn=TOPIC, endpoint_url=account.url), [signal()])


def keep_state(account: Account) -> None:
    config = S3Config(bucket=BUCKET, region=REGION, endpoint_url=account.url)
    state = StateObject(config, "churn")
    etag = state.put(b"state", ObjectMetadata(job="churn"), None)
    assert state.fetch(etag) == b"state"


PARTS: Final[dict[str, tuple[Callable[[Account], None], str]]] = {
    "ListCaptures": (list_captures, f"s3:ListBucket on arn:aws:s3:::{BUCKET}"),
    "ReadCaptures": (read_captures, f"s3:GetObject on arn:aws:s3:::{BUCKET}/datacapture/churn/*"),
    "TakeNotices": (take_notices, "sqs:ReceiveMessage on the queue"),
    "ListReports": (list_reports, "s3:ListBucket"),
    "PutReports": (put_reports, "s3:PutObject"),
    "PutMetrics": (put_metrics, "cloudwatch:PutMetricData"),
    "FindRepeats": (find_repeats, "cloudwatch:GetMetricStatistics is missing"),
    "SendSignals": (send_signals, "sns:Publish"),
    "KeepState": (keep_state, "AccessDenied"),
}
"""For each statement that moto enforces, the part that needs it, and what its failure names."""
LISTINGS: Final = ("ListCaptures", "ListReports")


@pytest.fixture
def account(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return Account(moto)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Use]:
    """The uses of permissions by all requests to the services of the policies."""
    uses: list[Use] = []
    send = botocore.client.BaseClient._make_api_call

    def record(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if (service := client.meta.service_model.service_name) != "iam":
            uses.extend(uses_of(service, operation, arguments))
        return send(client, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", record)
    return uses


@pytest.fixture
def restricted(
    account: Account, moto: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Policy], None]]:
    """``restricted(policy)`` gives this process the permissions of a policy."""

    def restrict(policy: Policy) -> None:
        for name, value in moto.restricted_to(enforceable(policy)).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN")

    yield restrict
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    moto.permit_everything()


def failure(part: Callable[[Account], None], account: Account) -> str:
    """What the part says of its failure; empty if it succeeds."""
    try:
        part(account)
    except S3Error as error:
        return str(unavailable("s3", error))
    except SinkRetry as error:
        return f"{error.reason}: {error.permission}"
    except S3RequestFailed as error:
        return error.code
    except Exception as error:  # noqa: BLE001  # the texts are compared
        return str(error)
    return ""


def test_each_part_works_with_the_policy(
    account: Account, restricted: Callable[[Policy], None], requests: list[Use]
) -> None:
    """Also in what the emulator does not check: conditions, topic and key."""
    restricted(SERVICE)
    found = {sid: failure(part, account) for sid, (part, _) in PARTS.items()}
    assert set(found.values()) == {""}, found
    assert failure(put_encrypted_reports, account) == ""
    assert [use for use in requests if not allows(SERVICE, use)] == []
    wanted = {name for statement in SERVICE["Statement"] for name in listed(statement["Action"])}
    assert wanted - {use.action for use in requests} == {"kms:Decrypt"}, "S3 decrypts by itself"


@pytest.mark.parametrize("sid", PARTS)
def test_without_a_statement_the_part_that_needs_it_fails_and_names_the_permission(
    account: Account, restricted: Callable[[Policy], None], sid: str
) -> None:
    """Without conditions each statement that lists permits both listings: both are removed."""
    part, named = PARTS[sid]
    restricted(without(SERVICE, *(LISTINGS if sid in LISTINGS else [sid])))
    assert named in failure(part, account)


@pytest.mark.parametrize("sid", [*PARTS, "UseKey"])
def test_only_one_statement_allows_the_requests_of_a_part(
    account: Account, requests: list[Use], sid: str
) -> None:
    part = put_encrypted_reports if sid == "UseKey" else PARTS[sid][0]
    assert failure(part, account) == ""
    assert all(allows(SERVICE, use) for use in requests)
    assert not all(allows(without(SERVICE, sid), use) for use in requests)


def listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def test_conditions_hold_for_what_is_documented_and_for_nothing_else() -> None:
    namespace = "cloudwatch:namespace"
    put = Use("cloudwatch:PutMetricData", "*", {namespace: "aws/sagemaker/Endpoints/data-metrics"})
    assert allows(SERVICE, put)
    assert not allows(SERVICE, put._replace(context={namespace: "AWS/EC2"}))
    assert not allows(SERVICE, put._replace(context={}))
    listing = Use("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"s3:prefix": "datacapture/churn/"})
    assert allows(SERVICE, listing)
    assert not allows(SERVICE, listing._replace(context={"s3:prefix": "datacapture/other/"}))
    assert not allows(SERVICE, listing._replace(context={"s3:prefix": ""}))
    assert not allows(SERVICE, Use("s3:PutObject", f"arn:aws:s3:::{BUCKET}/{CAPTURE}"))
    assert not allows(SERVICE, Use("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/reports/x"))


def test_alarms_are_listed_with_the_policy_of_the_migration(
    account: Account, restricted: Callable[[Policy], None]
) -> None:
    restricted(MIGRATION)
    assert list(alarmed_metrics(account.client("cloudwatch"))) == []


def test_alarms_are_not_listed_without_its_statement(
    account: Account, restricted: Callable[[Policy], None]
) -> None:
    restricted(without(MIGRATION, "ListAlarms"))
    with pytest.raises(SinkRetry) as refused:
        list(alarmed_metrics(account.client("cloudwatch")))
    assert refused.value.permission == "cloudwatch:DescribeAlarms"
