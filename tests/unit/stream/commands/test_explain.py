"""Explaining a metric: a recomputed value matches the published one unless either was changed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Constraint
from detectors.report import FeatureReport, Figures, SignalKind, WindowReport
from stream.baselining.build import BuiltBaseline, write
from stream.commands.explain import explain
from stream.errors import DataError
from stream.testing.baselines import Values, baseline, normal, texts, window
from stream.testing.reports import signal

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
EVIDENCE = Rules()


def report(rows: int = 1_000, mean: float = 0.4, rules: Rules = EVIDENCE) -> WindowReport:
    data: dict[str, Values] = {
        "x": np.append(normal(3, rows - 5, mean), [np.nan] * 5),
        "code": [1.0] * (rows // 2) + [2.0] * (rows - rows // 2),
        "[/red]": texts({"[bold]": rows // 2, "b": rows - rows // 2}),
        "off": normal(4, rows, 3.0),
    }
    return Judge("j", rules, OWN).report(
        WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000),
        BASE,
        window(BASE.layout, data),
        EpisodeState(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(BuiltBaseline(BASE, {}, {}, {}), tmp_path / "b")
    (tmp_path / "b" / "constraints.json").unlink()
    return tmp_path


def explained(folder: Path, *lines: bytes, name: str = "x") -> tuple[bool, str]:
    """Return whether all values match, and the page, for a file of these lines."""
    (folder / "reports-1.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    console = Console(file=io.StringIO(), width=200)
    matches = explain([report().id, name], None, folder, folder / "b", console)
    assert isinstance(console.file, io.StringIO)
    return matches, console.file.getvalue()


def line(window_report: WindowReport) -> bytes:
    return msgspec.json.encode(window_report)


@pytest.mark.parametrize("name", ["x", "code", "[/red]", "off"])
@pytest.mark.parametrize("rows", [1_000, 60])
def test_a_published_report_matches_its_recomputation(folder: Path, name: str, rows: int) -> None:
    matches, page = explained(folder, line(report(rows)), name=name)
    assert matches, page
    assert page.endswith("all recomputed values match\n")


def test_the_page_names_values_that_the_baseline_does_not_know(folder: Path) -> None:
    data: dict[str, Values] = {"[/red]": texts({"b": 600, "SUMMER": 300, "\x1b[2J": 100})}
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    judge = Judge("j", Rules(), OWN)
    filled = judge.report(span, BASE, window(BASE.layout, data), EpisodeState())
    _, page = explained(folder, line(filled), name="[/red]")
    assert "values that the baseline does not know: '\\x1b[2J', 'SUMMER'\n" in page
    assert "│ new: 'SUMMER'" in page
    _, page = explained(folder, line(report()), name="[/red]")
    assert "does not know" not in page
    data["[/red]"] = texts({"b": 600, **{f"new {k}": 1 for k in range(400)}})
    filled = judge.report(span, BASE, window(BASE.layout, data), EpisodeState())
    _, page = explained(folder, line(filled), name="[/red]")
    (names,) = re.findall(r"does not know: ('new .*?) and others", page.replace("\n", " "))
    assert len(names.split(", ")) == 20


def test_a_window_without_a_value_has_no_shares_to_compare(folder: Path) -> None:
    data: dict[str, Values] = {"x": np.full(500, np.nan), "code": [1.0] * 500}
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    empty = Judge("j", Rules(), OWN).report(span, BASE, window(BASE.layout, data), EpisodeState())
    matches, page = explained(folder, line(empty), name="x")
    assert matches
    assert "no shares to compare" in page
    assert "part" not in page


def table_rows(page: str, columns: int) -> dict[str, list[str]]:
    """The rows of the table with this number of columns, by their first cell."""
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in page.splitlines()]
    return {row[0]: row[1:] for row in rows if len(row) == columns}


def test_the_page_shows_limit_noise_and_the_counts_of_every_bin(folder: Path) -> None:
    _, page = explained(folder, line(report()), name="[/red]")
    assert table_rows(page, 6)["[bold]"][:4] == ["2500", "500", "0.6250", "0.5000"]
    metrics = {name: values[1:] for name, values in table_rows(page, 4).items()}
    names = ("limit", "noise floor", "configured limit", "psi", "completeness", "verdict")
    for name in names:
        recomputed, published = metrics[name]
        assert recomputed == published
    assert metrics["share written as text"] == ["100 %", "100 %"]
    assert metrics["deciding statistic"] == ["psi", "psi"]
    feature = next(feature for feature in report().features if feature.name == "[/red]")
    assert float(metrics["limit"][0]) == pytest.approx(feature.limit, rel=1e-9)


@pytest.mark.parametrize(("rows", "decides"), [(200, True), (1_000, False)])
def test_the_page_says_where_the_configured_limit_has_no_effect(
    folder: Path, rows: int, decides: bool
) -> None:
    """The chi-squared noise of two bins is about 15 / rows; the configured limit is 0.063."""
    _, page = explained(folder, line(report(rows, rules=Rules(mode="threshold"))), name="code")
    assert ("The noise floor decides" in page) == decides


def test_the_page_shows_the_baseline_beside_the_window(folder: Path) -> None:
    _, page = explained(folder, line(report(mean=2.0)))
    metrics = table_rows(page, 4)
    x = normal(1, 4_000)
    for name, value in (
        ("n", 4_000),
        ("missing", 0),
        ("completeness", 1.0),
        ("mean", np.mean(x)),
        ("std", np.std(x)),
        ("min", np.min(x)),
        ("max", np.max(x)),
    ):
        baseline, recomputed, published = metrics[name]
        assert float(baseline) == pytest.approx(value, rel=1e-9)
        assert recomputed == published
    assert float(metrics["mean"][1]) == pytest.approx(2.0, abs=0.2)
    assert metrics["share written as fraction"][0] == "100 %"
    assert metrics["psi"][0] == "", "the baseline has no distance from itself"


def episode_signal(kind: SignalKind, start_ms: int, **changes: Any) -> bytes:
    """A line of a signal about the model of the report; its episode began a minute before 0."""
    about = {"job": "j", "model": "m", "variant": "v", "baseline": BASE.fingerprint}
    times = {"start_ms": start_ms, "end_ms": start_ms + 60_000, "first_violation_ms": -60_000}
    return msgspec.json.encode(signal(kind=kind, **{**about, **times, "episode": "e", **changes}))


@pytest.mark.parametrize(
    ("signals", "since"),
    [
        ([], None),
        ([episode_signal("opened", -60_000)], "1969-12-31 23:59"),
        ([episode_signal("opened", 0)], "1969-12-31 23:59"),
        (
            [episode_signal("opened", -60_000), episode_signal("recovered", 120_000)],
            "1969-12-31 23:59",
        ),
        ([episode_signal("opened", -60_000), episode_signal("recovered", 0)], None),
        ([episode_signal("opened", 60_000, first_violation_ms=60_000)], None),
        ([episode_signal("opened", -60_000, model="other")], None),
        ([episode_signal("opened", -60_000, variant="other")], None),
        ([episode_signal("opened", -60_000, baseline="of before")], None),
        ([b"{truncated", episode_signal("opened", -60_000)], "1969-12-31 23:59"),
    ],
)  # fmt: skip
def test_the_page_says_since_when_the_model_drifts(
    folder: Path, signals: list[bytes], since: str | None
) -> None:
    (folder / "signals.jsonl").write_bytes(b"".join(line + b"\n" for line in signals))
    _, page = explained(folder, line(report()))
    shown = [text for text in page.splitlines() if "since" in text]
    assert shown == ([f"m drifts since {since} (UTC)"] if since else [])


def test_a_report_without_numbers_of_the_baseline_matches(folder: Path) -> None:
    """Reports of 0.1.0 have none; the page shows those of the baseline."""
    matches, page = explained(folder, line(changed(baseline=None)(report())))
    assert matches, page
    assert float(table_rows(page, 4)["n"][0]) == 4_000


def changed(**fields: Any) -> Callable[[WindowReport], WindowReport]:
    def change(original: WindowReport) -> WindowReport:
        first = replace(original.features[0], **fields)
        return replace(original, features=(first, *original.features[1:]))

    return change


def violated(**fields: Any) -> Callable[[WindowReport], WindowReport]:
    def change(original: WindowReport) -> WindowReport:
        first = replace(original.violations[0], **fields)
        return replace(original, violations=(first, *original.violations[1:]))

    return change


OTHER: dict[str, Any] = {
    "role": "prediction",
    "type": "String",
    "deciding": "psi",
    "verdict": "ok",
    "enabled": False,
    "emitted": False,
    "types": {},
    "distances": {"psi": 9.0},
    "baseline": Figures(
        n=1, missing=0, completeness=1.0, types={}, mean=9.0, std=0.0, min=9.0, max=9.0
    ),
}


@pytest.mark.parametrize(
    "field",
    [
        field.name
        for field in msgspec.structs.fields(FeatureReport)
        # the counts of this report hold no values, and its mode is not evidence
        if field.name not in ("name", "sagemaker", "evidence")
    ],
)
def test_a_change_of_any_metric_of_a_feature_is_detected(folder: Path, field: str) -> None:
    old = getattr(report().features[0], field)
    value = OTHER.get(field, (old or 0) + 1 if isinstance(old, int | float | None) else None)
    matches, page = explained(folder, line(changed(**{field: value})(report())))
    assert not matches, page
    assert page.endswith("recomputed values differ from the published ones\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda original: replace(original, rows=5),
        lambda original: replace(original, rules={**original.rules, "alpha": 0.5}),
        lambda original: replace(original, violations=()),
        violated(value=9.0),
        violated(limit=0.01),
        violated(overwhelming=False),
        violated(check="data_type_check"),
    ],
)
def test_a_change_of_anything_else_that_a_metric_depends_on_is_detected(
    folder: Path, change: Callable[[WindowReport], WindowReport]
) -> None:
    assert report().violations[0].feature == "x"
    assert not explained(folder, line(change(report())))[0]


def test_a_violation_of_a_change_detector_is_not_compared(folder: Path) -> None:
    calm = report(mean=0.0)
    assert "x" not in {violation.feature for violation in calm.violations}
    change = replace(report().violations[0], check="change_check")
    violating = changed(verdict="violation")(calm)
    violating = replace(violating, violations=(*calm.violations, change))
    assert explained(folder, line(violating))[0]


def test_lines_that_were_cut_off_are_skipped(folder: Path) -> None:
    whole = line(report())
    assert explained(folder, whole[:200], whole)[0]
    with pytest.raises(DataError, match=r"report '.*': not found; searched .*reports-1\.jsonl"):
        explained(folder, whole[:200])


@pytest.mark.parametrize("profile", [b"", b"\xc1", b"short"])
def test_a_damaged_report_is_refused(folder: Path, profile: bytes) -> None:
    with pytest.raises(DataError, match="its counts cannot be read, it is damaged"):
        explained(folder, line(replace(report(), profile=profile)))


def test_a_report_without_features_is_refused_with_its_state(folder: Path) -> None:
    silent = replace(report(), state="learning", features=())
    with pytest.raises(DataError, match="its state is 'learning': nothing was judged"):
        explained(folder, line(silent))


def test_a_feature_that_the_report_does_not_have_is_refused_with_those_it_has(
    folder: Path,
) -> None:
    with pytest.raises(
        click.BadParameter, match="unknown feature of the report 'y'; valid: x, cod"
    ):
        explained(folder, line(report()), name="y")
    with pytest.raises(click.BadParameter, match=r"did you mean 'code'\?"):
        explained(folder, line(report()), name="codes")


def test_another_baseline_than_the_reports_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="it needs the baseline feed, found .*--baseline"):
        explained(folder, line(replace(report(), baseline="feed")))


@pytest.mark.parametrize(
    "change",
    [
        changed(deciding="energy"),
        lambda original: replace(original, rules={**original.rules, "statistic": "energy"}),
    ],
)
def test_a_deciding_statistic_that_is_not_installed_is_named(
    folder: Path, change: Callable[[WindowReport], WindowReport]
) -> None:
    with pytest.raises(DataError) as raised:
        explained(folder, line(change(report())))
    assert raised.value.reason == (
        "its deciding statistic 'energy' is not installed: install the distribution whose entry"
        " point in the group 'driftline.distances' is called 'energy'"
    )
