"""The features that are judged together, in the configuration and by the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from stream.baselining.build import BuiltBaseline, learn, make, write
from stream.baselining.configured import configured_baselines
from stream.baselining.joint_features import require_pairs
from stream.config.load import parse
from stream.errors import ColumnsUnknown, ConfigError

RNG = np.random.default_rng(1)
TABLE = pa.table(
    {
        "area": pa.array(RNG.normal(size=1_000)).cast(pa.string()),
        "rooms": pa.array(RNG.integers(1, 6, 1_000)).cast(pa.string()),
        "city": pa.array(RNG.choice(["a", "b"], 1_000)),
        "same": pa.array(["7"] * 1_000),
        "id": pa.array([f"u-{k:06}" for k in range(1_000)]),
    }
)
NAMES = TABLE.column_names


def built(joint: tuple[str, ...] | None) -> BuiltBaseline:
    return make(lambda: [TABLE], joint=joint)


def counted(baseline: Baseline) -> list[str]:
    return [baseline.layout.features[i].name for i in baseline.layout.joint_features]


def baseline_of(folder: Path, joint: Any, made: tuple[str, ...] | None) -> Baseline:
    write(built(made), folder / "b")
    config = {
        "job": "j",
        "source": {"type": "jsonl", "path": "p"},
        "format": {"type": "json"},
        "model": {"from": "const", "name": "m"},
        "models": {
            "m": {"baseline": str(folder / "b")} | ({} if joint is None else {"joint": joint})
        },
    }
    return configured_baselines(parse(config, folder))["m"]


def test_the_usual_features_are_those_that_vary_and_return() -> None:
    assert counted(built(()).baseline) == ["area", "rooms", "city"]
    assert counted(built(None).baseline) == []


@pytest.mark.parametrize(
    ("joint", "expected"),
    [
        (None, []),
        ({}, ["area", "rooms", "city"]),
        ({"features": ["city", "area"]}, ["area", "city"]),
    ],
)
def test_a_job_counts_the_pairs_that_it_judges(
    tmp_path: Path, joint: Any, expected: list[str]
) -> None:
    assert counted(baseline_of(tmp_path, joint, ())) == expected


@pytest.mark.parametrize(
    ("joint", "made", "words"),
    [
        ({}, None, "`driftline baseline TRAIN --out FOLDER --joint all`"),
        ({"features": ["area", "rooms"]}, None, "'area', 'rooms' in pairs: make it with"),
        ({"features": ["area", "rooms"]}, ("area", "city"), "--joint area,rooms"),
        ({"features": ["area", "rom"]}, (), "rom"),
        ({"features": ["area"]}, (), "features"),
        ({"features": ["area", "area"]}, (), "column 'area' is named more than once"),
        ({"features": ["area", "city", "area"]}, (), "column 'area' is named more than once"),
    ],
)
def test_what_the_baseline_does_not_count_is_an_error_that_says_what_to_do(
    tmp_path: Path, joint: Any, made: tuple[str, ...] | None, words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        baseline_of(tmp_path, joint, made)
    assert any(words in str(fault) for fault in raised.value.faults)


def test_columns_that_cannot_depend_on_others_are_refused_by_name() -> None:
    layout = built(("area", "same", "id")).baseline.layout
    with pytest.raises(BaselineInvalid, match="'id', 'same'"):
        require_pairs(layout, ("area", "same", "id"))
    with pytest.raises(BaselineInvalid, match="2 to 40"):
        require_pairs(layout, ("area",))
    with pytest.raises(ColumnsUnknown):
        require_pairs(layout, ("area", "rom"))
    with pytest.raises(BaselineInvalid):
        require_pairs(built(None).baseline.layout, ())


def test_a_learned_baseline_counts_what_it_can_of_what_is_asked() -> None:
    learned = learn(None, [TABLE], [], NAMES, joint=["area", "city", "same"])
    assert counted(learned) == ["area", "city"]
    assert counted(learn(None, [TABLE], [], NAMES, joint=["area", "same"])) == []
    known = built(("area", "rooms")).baseline
    extended = learn(known, [pa.table({"new": TABLE["city"]})], [], [*NAMES, "new"], joint=[])
    assert counted(extended) == ["area", "rooms"]
    assert extended.profile.pairs.tolist() == known.profile.pairs.tolist()
