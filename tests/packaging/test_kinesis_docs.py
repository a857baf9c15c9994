"""The configuration and the policies of docs/kinesis.md can be used unchanged; the policies
allow exactly the operations that are called."""

from __future__ import annotations

import json
import re
from pathlib import Path

import botocore.session
import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.sources.kinesis.source import FanOut, Kinesis
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "kinesis.md").read_text()
POLLING, PUSHING = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
FOLDER = ROOT / "stream" / "sources" / "kinesis"
FAN_OUT = FOLDER / "fan_out.py"
REST = """
job: prices
format: {type: json, features: request, prediction: answer.price}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: [area]}}
"""


def allowed(policy: dict[str, object]) -> set[str]:
    assert policy["Version"] == "2012-10-17"
    statements = policy["Statement"]
    assert isinstance(statements, list)
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    actions = [statement["Action"] for statement in statements]
    lists = [[action] if isinstance(action, str) else action for action in actions]
    return {action for listed in lists for action in listed}


def called(files: list[Path]) -> set[str]:
    """The operations that are called by name in these files, as IAM names them."""
    names = {
        name
        for file in files
        for name in re.findall(r"\b(?:call|events)\(\s*\"(\w+)\"", file.read_text())
    }
    service = botocore.session.get_session().get_service_model("kinesis")
    known = {operation.lower(): operation for operation in service.operation_names}
    return {f"kinesis:{known[name.replace('_', '')]}" for name in names}


def test_the_policies_allow_exactly_the_operations_that_are_called() -> None:
    others = [file for file in FOLDER.glob("*.py") if file != FAN_OUT]
    assert allowed(POLLING) == called(others)
    assert allowed(PUSHING) == called([FAN_OUT])
    assert called([FOLDER / "source.py"]) == set()


def test_a_permission_for_a_consumer_names_consumers_of_the_same_stream() -> None:
    (polling,) = POLLING["Statement"]
    stream = polling["Resource"]
    registering, pushing = PUSHING["Statement"]
    assert registering["Resource"] == stream
    assert pushing["Resource"] == [stream, f"{stream}/consumer/*"]


@pytest.mark.parametrize(
    "addition",
    ["", "  fan_out: {consumer_name: driftline}\n", "  start_at: 2026-11-25T10:00:00Z\n"],
)
def test_the_configuration_of_the_page_passes_the_check(addition: str, tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "config.yaml").write_text(REST + shown + addition)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert result.exit_code == 0, result.output


def test_the_table_of_keys_names_every_key() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert named == set(Kinesis.__struct_fields__)
    assert all(f"{{{key}: ...}}" in PAGE for key in FanOut.__struct_fields__)
