"""Judging again: the same signals as the job sent, other rules, incidents, odd input, the page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import pytest
from msgspec.structs import replace

from detectors.decisions.rules import Rules
from detectors.report import WindowReport
from stream.cli import main
from stream.testing.baselines import baseline, normal
from tests.unit.stream.commands.backtest.month import FAULT, HOUR_MS, HOURS, lived, save, written

EVIDENCE = "{mode: evidence}"


@pytest.fixture(scope="module")
def reports() -> list[WindowReport]:
    return lived(Rules(mode="threshold"))[0]


def run(folder: Path, *arguments: str) -> click.testing.Result:
    names = [str(folder / "reports"), "--config", str(folder / "config.yaml"), *arguments]
    return click.testing.CliRunner().invoke(main, ["backtest", *names])


def result(folder: Path, *arguments: str) -> dict[str, Any]:
    done = run(folder, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def incidents(folder: Path, *entries: tuple[str, int, int]) -> str:
    """A file of incidents: names, and the hours in which they begin and end."""
    path = folder / "incidents.yaml"
    lines = [
        f"- {{model: m, name: {name}, from: '{_hour(start)}', to: '{_hour(end)}'}}"
        for name, start, end in entries
    ]
    path.write_text("\n".join(lines))
    return str(path)


def _hour(hour: int) -> str:
    return f"1970-01-{1 + hour // 24:02}T{hour % 24:02}:00"


@pytest.mark.parametrize("mode", ["threshold", "evidence"])
def test_the_rules_of_the_job_give_the_signals_that_it_sent(
    tmp_path: Path, reports: list[WindowReport], mode: str
) -> None:
    """Whatever rules the reports were judged by: their counts decide."""
    written(tmp_path, reports, f"{{mode: {mode}}}")
    _, signals = lived(msgspec.convert({"mode": mode}, Rules))
    assert signals
    found = msgspec.convert(result(tmp_path)["signals"], list[dict[str, Any]])
    sent = msgspec.to_builtins(signals)
    assert _without_figures(found) == _without_figures(json.loads(json.dumps(sent)))


def _without_figures(signals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != "figures"} for each in signals]


def test_a_higher_limit_tells_nothing(tmp_path: Path, reports: list[WindowReport]) -> None:
    written(tmp_path, reports, "{mode: threshold, limit: 50}")
    assert result(tmp_path)["signals"] == []


def test_incidents_are_found_or_not_and_other_signals_are_counted(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, reports, "{mode: threshold}")
    path = incidents(tmp_path, ("fault", FAULT.start, FAULT.stop), ("calm", 2, 5))
    found = result(tmp_path, "--incidents", path)
    by_name = {each["name"]: each for each in found["incidents"]}
    assert by_name["fault"]["delay_ms"] in (HOUR_MS, 2 * HOUR_MS)
    assert by_name["calm"] == {
        "model": "m",
        "name": "calm",
        "from_ms": 2 * HOUR_MS,
        "to_ms": 5 * HOUR_MS,
        "signal": None,
        "delay_ms": None,
    }
    assert found["other_signals"] == []
    path = incidents(tmp_path, ("calm", 2, 5))
    found = result(tmp_path, "--incidents", path)
    assert len(found["other_signals"]) == 1
    assert found["other_signals_a_week"] == pytest.approx(7 * 24 / HOURS)


def test_tuning_names_the_quietest_settings_that_keep_the_incident(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, reports, "{mode: threshold}")
    path = incidents(tmp_path, ("fault", FAULT.start, FAULT.stop))
    found = result(tmp_path, "--incidents", path, "--tune", "at most 1 a week")
    tried = {trial["limit"]: trial for trial in found["trials"]}
    assert tried[0.02]["found"] == 1
    fastest = min(trial["median_delay_ms"] for trial in tried.values() if trial["found"])
    fitting = [
        limit
        for limit, trial in tried.items()
        if trial["found"] and trial["median_delay_ms"] == fastest
    ]
    assert all(trial["other_signals_a_week"] == 0 for trial in tried.values())
    assert len(fitting) > 1
    assert found["quietest"] == {"limit": max(fitting)}


def test_tuning_says_when_nothing_fits(tmp_path: Path, reports: list[WindowReport]) -> None:
    written(tmp_path, reports, "{mode: threshold}")
    path = incidents(tmp_path, ("calm", 2, 5))
    done = run(tmp_path, "--incidents", path, "--tune", "at most 1 a week")
    assert done.exit_code == 0
    assert "no setting finds every incident" in done.stdout


def test_tuning_by_evidence_tries_effects_and_budgets(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, reports[:3], EVIDENCE)
    trials = result(tmp_path, "--tune", "1 per day")["trials"]
    tried = {(trial["false_alarms"], trial["effect"]) for trial in trials}
    assert len(trials) == len(tried) == 3 * 7
    assert all(trial["other_signals_a_week"] == 0 for trial in trials)
    shown = run(tmp_path, "--tune", "1 per day").stdout
    rules = Rules(mode="evidence")
    in_force = f"`rules: {{false_alarms: {rules.false_alarms}, effect: {rules.effect}}}`"
    assert "the settings made no difference" in shown
    assert shown.rstrip().endswith(in_force)
    assert "0/0" not in shown


def test_what_cannot_be_read_is_told_and_the_rest_is_judged(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    other = replace(reports[0], baseline="f" * 16, layout="e" * 16, start_ms=1)
    damaged = replace(reports[1], profile=reports[1].profile[:-9])
    written(tmp_path, [*reports[2:], other, damaged], "{mode: threshold}")
    with (tmp_path / "reports" / "reports-1970-01-01.jsonl").open("ab") as file:
        file.write(b'{"id": "torn\n\n')
    done = run(tmp_path)
    assert done.exit_code == 0
    assert f"1 window of m need the baseline {'f' * 16}" in done.stderr
    assert "1 window of m have damaged counts (ProfileInvalid)" in done.stderr
    assert "1 line in 1 files are no reports, or damaged" in done.stderr
    assert f"{HOURS - 2} windows of 1 model" in done.stdout


WRONG_TIMES = [(10**18, 10**18 + HOUR_MS), (-HOUR_MS, 0), (HOUR_MS, HOUR_MS), (HOUR_MS, 0)]


def test_reports_with_times_that_no_window_has_are_damaged(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    wrong = [replace(reports[0], start_ms=start, end_ms=end) for start, end in WRONG_TIMES]
    written(tmp_path, [*reports, *wrong], "{mode: threshold}")
    done = run(tmp_path)
    assert done.exit_code == 0
    assert f"{HOURS} windows of 1 model" in done.stdout
    assert "4 lines in 1 files are no reports, or damaged" in done.stderr
    (tmp_path / "alone").mkdir()
    written(tmp_path / "alone", wrong, "{mode: threshold}")
    alone = run(tmp_path / "alone")
    assert alone.exit_code != 0
    assert "4 lines in 1 files are no reports, or damaged" in " ".join(alone.stderr.split())


@pytest.mark.parametrize("other", ["job", "model"])
def test_reports_of_another_job_or_model_are_left_out_and_counted(
    tmp_path: Path, reports: list[WindowReport], other: str
) -> None:
    foreign = [replace(report, **{other: "z"}) for report in reports[:3]]
    written(tmp_path, [*reports, *foreign], "{mode: threshold}")
    done = run(tmp_path)
    assert f"{HOURS} windows of 1 model" in done.stdout
    note = f"3 reports of {other} z, which the configuration does not have: left out"
    assert note in done.stderr
    (tmp_path / "alone").mkdir()
    written(tmp_path / "alone", foreign, "{mode: threshold}")
    alone = run(tmp_path / "alone")
    assert alone.exit_code != 0
    assert note in " ".join(alone.stderr.split())


def test_the_windows_of_one_model_can_be_asked_for(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    config = written(tmp_path, [*reports, *(replace(r, model="n") for r in reports[:5])])
    config.write_text(
        config.read_text().replace("  m: {baseline: b}", "  m: {baseline: b}\n  n: {baseline: b}")
    )
    found = {name: result(tmp_path, "--model", name)["windows"] for name in ("m", "n")}
    assert found == {"m": HOURS, "n": 5}
    assert result(tmp_path)["windows"] == HOURS + 5


def test_another_baseline_can_be_named(tmp_path: Path, reports: list[WindowReport]) -> None:
    written(tmp_path, reports, "{mode: threshold}")
    (tmp_path / "b").rename(tmp_path / "old")
    save(baseline({"x": normal(8, 3_000), "y": normal(9, 3_000)}), tmp_path / "b")
    refused = run(tmp_path)
    assert refused.exit_code != 0
    assert "name its folder with --baseline" in refused.stderr
    found = result(tmp_path, "--baseline", str(tmp_path / "old"))
    assert found["windows"] == HOURS


def test_the_first_report_on_a_window_is_judged_and_of_the_newest_generation(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    empty = lived(Rules(mode="threshold"))[0][0]
    revised = [replace(r, revision=1, profile=empty.profile) for r in reports]
    anew = [replace(r, generation="20260101T000000Z") for r in reports]
    written(tmp_path, [*revised, *anew, *revised], "{mode: threshold}")
    found = result(tmp_path)
    assert found["windows"] == HOURS
    assert len(found["signals"]) == len(lived(Rules(mode="threshold"))[1])


def test_windows_that_were_not_whole_move_no_episode(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, [replace(r, state="incomplete") for r in reports], "{mode: threshold}")
    assert result(tmp_path)["signals"] == []


def test_a_folder_without_reports_is_refused_in_words(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, [], "{}")
    assert "no report with counts in 1 files" in run(tmp_path).stderr
    (tmp_path / "reports" / "reports-1970-01-01.jsonl").unlink()
    done = run(tmp_path)
    assert "no file of reports" in done.stderr
    assert done.exit_code != 0


def test_wrong_options_are_refused(tmp_path: Path, reports: list[WindowReport]) -> None:
    written(tmp_path, reports[:2], "{}")
    assert "expected 'at most 2 a week'" in run(tmp_path, "--tune", "quiet").stderr
    assert "no model 'n'" in run(tmp_path, "--model", "n").stderr
    (tmp_path / "i.yaml").write_text("- {model: n, from: 2020-01-02, to: 2020-01-01, nam: x}\n- 3")
    assert "a list of incidents" in run(tmp_path, "--incidents", str(tmp_path / "i.yaml")).stderr


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.classes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.classes += [value or "" for name, value in attrs if name == "class" and tag == "rect"]


def test_the_page_needs_no_other_file_and_has_a_timeline(
    tmp_path: Path, reports: list[WindowReport]
) -> None:
    written(tmp_path, reports, "{mode: threshold}")
    path = incidents(tmp_path, ("'<b>fault'", FAULT.start, FAULT.stop))
    page = tmp_path / "out" / "page.html"
    done = run(tmp_path, "--incidents", path, "--tune", "2 a week", "--html", str(page))
    assert done.exit_code == 0, done.output
    text = page.read_text()
    parsed = _Page(text)
    assert parsed.links == []
    assert {"ok", "violations", "incident", "signal"} <= set(parsed.classes)
    assert "<b>fault" not in text
    assert "&lt;b&gt;fault" in text
