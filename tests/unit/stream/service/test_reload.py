"""Edits of limits are applied to a running service; every other edit is refused by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from stream.config.load import parse
from stream.config.model import Config
from stream.errors import ConfigError, ConfigFault, ReloadRefused
from stream.service.reload import Loaded, loaded, require_limits_alone, same_limits
from stream.service.reload_thread import ReloadThread
from tests.support.jobs import config, learn_from

Edit = Callable[[dict[str, Any]], object]
CELLS = {
    "area": [str(k / 7) for k in range(500)],
    "kind": ["flat", "house"] * 250,
    "price": [str(k % 90) for k in range(500)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    learn_from(CELLS, ("price",), tmp_path)
    return tmp_path


def read(folder: Path, edit: Edit = lambda _: None) -> Loaded:
    data = config(folder / "baseline")
    edit(data)
    return loaded(parse(data, folder))


def edit_constraints(folder: Path, edit: Edit) -> None:
    path = folder / "baseline" / "constraints.json"
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def model(**change: object) -> Edit:
    return lambda data: data["models"]["m"].update(change)


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data.update(rules={"effect": 0.3, "k": 1}),
        model(features={"area": {"effect": 0.4}}),
        model(change_detectors=[{"type": "page_hinkley", "feature": "area"}]),
    ],
)
def test_limits_of_the_configuration_may_change(folder: Path, edit: Edit) -> None:
    before, after = read(folder), read(folder, edit)
    require_limits_alone(before, after)
    assert not same_limits(before, after)


def test_constraints_may_change(folder: Path) -> None:
    before = read(folder)
    edit_constraints(folder, lambda data: data["features"][0].update(completeness=0.5))
    after = read(folder)
    require_limits_alone(before, after)
    assert not same_limits(before, after)


def test_what_changes_no_limit_is_the_same(folder: Path) -> None:
    before = read(folder)
    edit_constraints(folder, lambda data: data.update(version=0.0, a_new_key=1))
    assert same_limits(before, read(folder, lambda data: data.update(rules={"min_n": 100})))


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        (lambda data: data.update(window="2m"), ("window",)),
        (lambda data: data.update(job="other"), ("job", "state.path", "dead_letters.path")),
        (lambda data: data.update(sinks=[]), ("sinks",)),
        (lambda data: data.update(reload="signal"), ("reload",)),
        (lambda data: data["sinks"][0].update(path="elsewhere"), ("sinks[0].path",)),
        (lambda data: data["models"].update(n=data["models"]["m"]), ("models.n",)),
        (
            lambda data: data.update(rules={"mode": "sagemaker-compat"}),
            ("rules.mode",),
        ),
        (
            lambda data: data.update(rules={"effect": 0.3}, window="2m"),
            ("window",),
        ),
    ],
)
def test_any_other_edit_is_refused_as_a_whole_and_named(
    folder: Path, edit: Edit, keys: tuple[str, ...]
) -> None:
    with pytest.raises(ReloadRefused, match="only limits are applied") as caught:
        require_limits_alone(read(folder), read(folder, edit))
    assert set(caught.value.keys) == set(keys)


def test_another_baseline_is_refused(folder: Path) -> None:
    before = read(folder)
    learn_from({**CELLS, "area": [str(k) for k in range(500)]}, ("price",), folder)
    with pytest.raises(ReloadRefused, match="--accept-change") as caught:
        require_limits_alone(before, read(folder))
    assert caught.value.keys == ("models.m.baseline",)


class Job:
    """A thread that is driven by hand, with what it passed on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "config.yaml"
        self.file.write_text("first")
        self.data = config(folder / "baseline")
        self.passed: list[Loaded] = []
        self.begun = True
        first = self.load()
        self.before = loaded(first)
        self.thread = ReloadThread(
            first,
            self.file,
            self.load,
            lambda: self.before if self.begun else None,
            self.passed.append,
        )

    def load(self) -> Config:
        if self.file.read_text() == "nonsense":
            raise ConfigError([ConfigFault(path="rules", reason="nonsense", line=7)], "config.yaml")
        return parse(self.data, self.folder)

    def edit(self, text: str, **change: object) -> None:
        self.data = {**config(self.folder / "baseline"), **change}
        self.file.write_text(text)

    def look(self, times: int = 4) -> list[str]:
        """The reasons of the refusals of a few polls."""
        structlog.reset_defaults()
        with capture_logs() as logs:
            for _ in range(times):
                self.thread.look()
        assert {entry["event"] for entry in logs} <= {"reload_refused"}
        return [entry["reason"] for entry in logs]


def test_an_edited_limit_is_passed_on_once(folder: Path) -> None:
    job = Job(folder)
    job.edit("second", rules={"effect": 0.3})
    assert job.look() == []
    (after,) = job.passed
    assert after.config.rules.effect == 0.3


def test_nonsense_is_refused_once_for_each_content(folder: Path) -> None:
    job = Job(folder)
    job.edit("nonsense")
    assert job.look() == ["config.yaml:7: rules: nonsense"]
    assert job.look() == []
    job.edit("second", window="2m")
    (reason,) = job.look()
    assert reason.startswith("window: only limits are applied")
    assert job.passed == []
    job.edit("third", rules={"effect": 0.3})
    assert job.look() == []
    assert len(job.passed) == 1


def test_a_signal_takes_everything_and_its_refusal_is_told_once(folder: Path) -> None:
    job = Job(folder)
    job.edit("nonsense")
    job.thread.ask()
    assert job.look() == ["config.yaml:7: rules: nonsense"]
    job.edit("second", window="2m")
    job.thread.ask()
    assert job.look() == []
    assert [after.config.window for after in job.passed] == ["2m"]


def test_constraints_that_are_removed_stay_in_force(folder: Path) -> None:
    job = Job(folder)
    (folder / "baseline" / "constraints.json").unlink()
    (reason,) = job.look()
    assert "constraints.json: no longer exists" in reason
    assert job.passed == []


def test_an_edit_while_the_service_starts_is_applied_when_it_runs(folder: Path) -> None:
    job = Job(folder)
    job.begun = False
    job.edit("second", rules={"effect": 0.3})
    assert (job.look(), job.passed) == ([], [])
    job.begun = True
    assert job.look() == []
    assert len(job.passed) == 1


def test_files_are_not_watched_where_only_a_signal_reloads(folder: Path) -> None:
    job = Job(folder)
    job.edit("second", reload="signal")
    job.thread.ask()
    job.look()
    assert [after.config.reload for after in job.passed] == ["signal"]
    job.edit("third", reload="signal", rules={"effect": 0.3})
    assert job.look() == []
    assert len(job.passed) == 1
