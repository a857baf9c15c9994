"""Explaining a number: equal to what was published, and unequal to anything else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from detectors.decisions.episodes import EpisodeState
from detectors.decisions.judge import Judge, WindowSpan
from detectors.decisions.rules import FeatureRules, Rules
from detectors.profiles.baseline import Constraint
from detectors.report import FeatureReport, WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from stream.errors import ConfigError
from tests.support.made import Values, baseline, normal, texts, window

BASE = baseline(
    {
        "x": normal(1, 4_000),
        "code": [1.0] * 3_000 + [2.0] * 1_000,
        "[/red]": texts({"[bold]": 2_500, "b": 1_500}),
        "off": normal(2, 4_000),
    },
    {"off": Constraint(evaluate=False)},
)
OWN = {"m": {"x": FeatureRules(statistic="ks", limit=0.05)}}


def report(rows: int = 1_000, mean: float = 0.4) -> WindowReport:
    data: dict[str, Values] = {
        "x": np.append(normal(3, rows - 5, mean), [np.nan] * 5),
        "code": [1.0] * (rows // 2) + [2.0] * (rows - rows // 2),
        "[/red]": texts({"[bold]": rows // 2, "b": rows - rows // 2}),
        "off": normal(4, rows, 3.0),
    }
    return Judge("j", Rules(), OWN).report(
        WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000),
        BASE,
        window(BASE.layout, data),
        EpisodeState(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(BuiltBaseline(BASE, {}, {}), tmp_path / "b")
    (tmp_path / "b" / "constraints.json").unlink()
    return tmp_path


def asked(folder: Path, *lines: bytes, name: str = "x") -> tuple[bool, str]:
    (folder / "reports-1.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    out = io.StringIO()
    return explain(
        report().id, name, None, folder, folder / "b", Console(file=out, width=200)
    ), out.getvalue()


def line(one: WindowReport) -> bytes:
    return msgspec.json.encode(one)


@pytest.mark.parametrize("name", ["x", "code", "[/red]", "off"])
@pytest.mark.parametrize("rows", [1_000, 60])
def test_what_was_published_is_rebuilt(folder: Path, name: str, rows: int) -> None:
    equal, said = asked(folder, line(report(rows)), name=name)
    assert equal, said
    assert "equal to what was published" in said


def test_it_shows_limit_noise_and_the_counts_of_every_bin(folder: Path) -> None:
    _, said = asked(folder, line(report()), name="[/red]")
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
        for row in said.splitlines()
        if len(cells := row.split("│")) == 8
    }
    assert rows["[bold]"][:4] == ["2500", "500", "0.6250", "0.5000"]
    numbers = {
        cells[1].strip(): [cell.strip() for cell in cells[2:4]]
        for row in said.splitlines()
        if len(cells := row.split("│")) == 5
    }
    x = next(one for one in report().features if one.name == "[/red]")
    for key in ("limit", "noise", "asked_limit", "psi", "completeness", "verdict"):
        assert numbers[key][0] == numbers[key][1]
    assert float(numbers["limit"][0]) == pytest.approx(x.limit, rel=1e-9)


def changed(**fields: Any) -> Callable[[WindowReport], WindowReport]:
    def change(one: WindowReport) -> WindowReport:
        first = replace(one.features[0], **fields)
        return replace(one, features=(first, *one.features[1:]))

    return change


def violated(**fields: Any) -> Callable[[WindowReport], WindowReport]:
    return lambda one: replace(
        one, violations=(replace(one.violations[0], **fields), *one.violations[1:])
    )


OTHER: dict[str, Any] = {
    "role": "prediction",
    "type": "String",
    "deciding": "psi",
    "verdict": "ok",
    "enabled": False,
    "types": {},
    "distances": {"psi": 9.0},
}


@pytest.mark.parametrize(
    "field", [field.name for field in msgspec.structs.fields(FeatureReport) if field.name != "name"]
)
def test_no_number_of_a_feature_can_be_changed_unnoticed(folder: Path, field: str) -> None:
    old = getattr(report().features[0], field)
    value = OTHER.get(field, (old or 0) + 1 if not isinstance(old, str | dict) else None)
    equal, said = asked(folder, line(changed(**{field: value})(report())))
    assert not equal, said
    assert "differs from what was published" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, rows=5),
        lambda one: replace(one, rules={**one.rules, "alpha": 0.5}),
        lambda one: replace(one, violations=()),
        violated(value=9.0),
        violated(limit=0.01),
        violated(overwhelming=False),
        violated(check="data_type_check"),
    ],
)
def test_nor_anything_else_that_it_rests_on(
    folder: Path, change: Callable[[WindowReport], WindowReport]
) -> None:
    assert report().violations[0].feature == "x"
    assert not asked(folder, line(change(report())))[0]


def test_a_change_on_a_series_does_not_count_against_the_rest(folder: Path) -> None:
    calm = report(mean=0.0)
    assert "x" not in {violation.feature for violation in calm.violations}
    told = replace(report().violations[0], check="change_check")
    assert asked(
        folder,
        line(replace(changed(verdict="violation")(calm), violations=(*calm.violations, told))),
    )[0]


def test_torn_lines_are_passed_over(folder: Path) -> None:
    whole = line(report())
    assert asked(folder, whole[:200], whole)[0]
    with pytest.raises(ConfigError, match="the id of a report"):
        asked(folder, whole[:200])


@pytest.mark.parametrize("profile", [b"", b"\xc1", b"short"])
def test_a_damaged_record_is_told(folder: Path, profile: bytes) -> None:
    with pytest.raises(ConfigError, match="damaged record"):
        asked(folder, line(replace(report(), profile=profile)))


def test_what_is_not_there_is_told_with_what_is(folder: Path) -> None:
    with pytest.raises(ConfigError, match="found 'y'; valid: x, code"):
        asked(folder, line(report()), name="y")
    with pytest.raises(ConfigError, match="--baseline: expected the baseline feed"):
        asked(folder, line(replace(report(), baseline="feed")))
