"""CloudWatch, SNS, SQS and S3, emulated by moto's server in a process of its own.

It is reliable in what it stores and routes: metric data and statistics, SNS to SQS, filter
policies, conditional puts. It accepts more than 1,000 data per call, never evaluates an alarm, and
enforces permissions only after ``/moto-api/reset-auth``.
"""

import importlib.util
import os
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.base import LOOPBACK, DependencyMissing, Process, free_port, port_answers

REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def why_missing() -> str | None:
    """Return why moto's server cannot be started here, or None if it can."""
    for module in ("moto.server", "flask", "boto3"):
        if importlib.util.find_spec(module.split(".")[0]) is None:
            return f"python package {module.split('.')[0]} is not installed"
    return None


class MotoServer:
    """moto's server on a free port of 127.0.0.1, started on entry, stopped on exit.

    ``url`` is the ``endpoint_url`` for every client; ``env`` holds the fake credentials that a
    child process needs. Raises DependencyMissing if moto is not installed, ServerFailed if it does
    not start.
    """

    def __init__(self) -> None:
        if reason := why_missing():
            raise DependencyMissing("moto", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-moto-"))
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.env = dict(CREDENTIALS)
        self.process = Process("moto", self.dir / "moto.log")

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]
        self.process.start(command, lambda: port_answers(self.port), env={**os.environ, **self.env})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def reset(self) -> None:
        """Empty every service."""
        post = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(post, timeout=10) as response:
            response.read()

    def restricted_to(self, policy: str) -> dict[str, str]:
        """Enforce permissions from now on; return the credentials of a user with this policy.

        moto checks actions and, in S3 and SQS, resources. A statement with a condition permits
        nothing. Until :meth:`permit_everything` all other credentials are refused.
        """
        iam = self.client("iam")
        iam.create_user(UserName="driftline")
        iam.put_user_policy(UserName="driftline", PolicyName="policy", PolicyDocument=policy)
        key = iam.create_access_key(UserName="driftline")["AccessKey"]
        self._enforce_after(0)
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def replace_policy(self, policy: str) -> None:
        """Give the user of :meth:`restricted_to` another policy."""
        self.permit_everything()
        iam = self.client("iam")
        iam.put_user_policy(UserName="driftline", PolicyName="policy", PolicyDocument=policy)
        self._enforce_after(0)

    def permit_everything(self) -> None:
        """End the enforcement of permissions."""
        self._enforce_after(1_000_000_000)

    def _enforce_after(self, requests: int) -> None:
        """Enforce permissions once this many further requests have been answered."""
        post = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth",
            str(requests).encode(),
            {"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(post, timeout=10).close()

    def client(self, service: str) -> Any:
        """Return a boto3 client of ``service`` for this server, with fake credentials."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def cloudwatch(self) -> Any:
        """A CloudWatch client."""
        return self.client("cloudwatch")

    @property
    def sns(self) -> Any:
        """An SNS client."""
        return self.client("sns")

    @property
    def sqs(self) -> Any:
        """An SQS client."""
        return self.client("sqs")

    def topic_with_queue(self, name: str) -> tuple[str, str]:
        """Create an SNS topic and an SQS queue subscribed to it; return topic ARN and queue URL."""
        sqs = self.sqs
        sns = self.sns
        queue = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        topic = str(sns.create_topic(Name=name)["TopicArn"])
        arn = attributes["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, queue

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Receive and delete all messages in ``queue``; body and attributes are as SQS has them."""
        sqs = self.sqs
        messages = []
        options = {
            "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"],
            "AttributeNames": ["SentTimestamp"],
        }
        while batch := sqs.receive_message(QueueUrl=queue, **options).get("Messages"):
            for message in batch:
                messages.append(message)
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return messages
