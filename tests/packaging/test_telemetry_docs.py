"""The page about metrics names what there is, with its labels, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from stream.telemetry import Telemetry

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


def test_the_page_and_the_registry_have_the_same_metrics() -> None:
    told = {name: set(filter(None, labels.split(", "))) for name, labels in re.findall(r"^\| `(\w+)` \| ([\w, ]*) \|", PAGE, re.MULTILINE)}
    registry = Telemetry("j").registry
    metrics = {one for one in registry._collector_to_names if isinstance(one, MetricWrapperBase)}
    there = {one._name + ("_total" if isinstance(one, Counter) else ""): set(one._labelnames) - {"job"} for one in metrics}
    assert told == there
