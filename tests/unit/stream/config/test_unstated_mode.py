"""Limits of the mode ``threshold`` in a file that names no mode are refused, and never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream.config.load import load, parse
from stream.errors import ConfigError

JOB: dict[str, Any] = {
    "job": "prices",
    "source": {"type": "jsonl", "path": "events.jsonl"},
    "format": {"type": "json"},
    "model": {"from": "const", "name": "prices"},
    "models": {"prices": {"baseline": "baseline"}},
}


def with_feature(**rules: Any) -> dict[str, Any]:
    return {"models": {"prices": {"baseline": "baseline", "features": {"a.b": rules}}}}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"rules": {"limit": 0.2}}, "rules.limit"),
        ({"rules": {"vanished_n": 50, "k": 1}}, "rules.vanished_n"),
        ({"rules": {"floor": "none"}}, "rules.floor"),
        (with_feature(limit=0.2), "models.prices.features.a.b.limit"),
    ],
    ids=["limit", "vanished_n", "floor", "limit of a feature"],
)
def test_a_key_of_thresholds_needs_a_mode(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({**JOB, **changes}, Path())
    (fault,) = refused.value.faults
    assert fault.path == path
    assert "`mode: threshold`" in fault.reason
    for mode in ("threshold", "evidence", "sagemaker", "sagemaker-compat"):
        rules = {**changes.get("rules", {}), "mode": mode}
        assert parse({**JOB, **changes, "rules": rules}, Path()).rules.mode == mode


def test_other_rules_and_unset_limits_need_no_mode() -> None:
    rules = {"k": 1, "of": 1, "alpha": 0.01, "min_n": 50, "cooldown": "1h", "limit": None}
    job = {**JOB, **with_feature(limit=None, enabled=False), "rules": rules}
    assert parse(job, Path()).rules.mode == "evidence"
    assert parse(JOB, Path()).rules.mode == "evidence"


def test_the_refusal_names_the_line_of_the_file(tmp_path: Path) -> None:
    text = """\
job: prices
source: {type: jsonl, path: events.jsonl}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: baseline}}
rules:
  k: 2
  limit: 0.2
"""
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "config.yaml")
    (fault,) = refused.value.faults
    assert (fault.path, fault.line) == ("rules.limit", text.splitlines().index("  limit: 0.2") + 1)
