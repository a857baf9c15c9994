"""The configuration, the policy and the table of docs/s3-captures.md fit the source."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from stream.cli import main
from stream.sources.s3.source import S3
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "s3-captures.md").read_text()
REST = """
job: churn
models: {churn: {baseline: learn, outputs: [churn], inputs: [age]}}
"""


def test_the_configuration_of_the_page_passes_the_check(tmp_path: Path) -> None:
    source, model = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "config.yaml").write_text(REST + source + model)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert result.exit_code == 0, result.output


def test_the_table_of_keys_names_every_key() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert named == set(S3.__struct_fields__)


def test_the_policy_allows_what_the_code_asks_for() -> None:
    (policy,) = (json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    actions = [statement["Action"] for statement in policy["Statement"]]
    allowed = {name for each in actions for name in ([each] if isinstance(each, str) else each)}
    folder = ROOT / "stream" / "sources" / "s3"
    text = "".join(file.read_text() for file in folder.glob("*.py"))
    asked = set(re.findall(r"s3:(?:ListBucket|GetObject)", text))
    asked |= {f"sqs:{name}" for name in re.findall(r'"(ReceiveMessage|DeleteMessage)"', text)}
    assert allowed == asked


def test_without_notices_the_grace_covers_the_time_until_an_object_is_found(tmp_path: Path) -> None:
    config = REST + (
        "source: {type: s3, bucket: captures, follow: true, relist: 10m}\n"
        "format: {type: sagemaker}\nmodel: {from: const, name: churn}\n"
    )
    (tmp_path / "config.yaml").write_text(config)
    result = CliRunner().invoke(main, ["check", str(tmp_path / "config.yaml")])
    assert result.exit_code == 2
    assert "grace" in result.output
    assert "720s" in result.output
