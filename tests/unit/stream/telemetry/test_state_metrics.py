"""Metrics of the committed state: counters that continue, and gauges of partitions and episodes."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from detectors.decisions.episode_state import EpisodeState
from detectors.profiles.calendar import Calendar
from stream.aggregation.ledger import Account, Ledger
from stream.aggregation.state import JobState, KeyState, ModelState, SeasonState
from stream.event_time import PartitionState
from stream.telemetry.state_metrics import StateMetrics
from stream.testing.reports import START_MS
from tests.support.metrics import open_episode


class Page:
    """The metrics of a state in a registry, read as by a scrape."""

    def __init__(self) -> None:
        self.metrics = StateMetrics("sample")
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"driftline_{name}", {"job": "sample", **labels})


def state(**ledger: int) -> JobState:
    accounts = {
        "t-0": Account(12, {"accepted": 9, "json": 2, "too_late": 1}),
        "t-1": Account(5, {"accepted": 5}),
    }
    partitions = {
        "t-0": PartitionState(1, 12, START_MS),
        "t-1": PartitionState(1, 5, None, idle=True),
    }
    return JobState(
        watermark_ms=START_MS,
        partitions=partitions,
        ledger=Ledger(accounts, {"accepted": 140, "json": 21}, **ledger),
    )


def shown(committed: JobState, lag: dict[str, int] | None = None) -> Page:
    page = Page()
    page.metrics.committed(committed, lag or {})
    return page


def test_nothing_is_exported_before_the_first_commit() -> None:
    assert list(Page().registry.collect()) == []


def test_the_length_of_what_seasons_are_learned_from_is_exported() -> None:
    committed = state()
    calendar = Calendar(by=("hour_of_day",))
    committed.models = {
        "m": ModelState("b", season=SeasonState(calendar, 345_600_000)),
        "plain": ModelState("b"),
    }
    page = shown(committed)
    assert page.value("season_learned_seconds", model="m") == 345_600
    assert page.value("season_learned_seconds", model="plain") is None


def test_records_and_bytes_are_counted_by_outcome() -> None:
    page = shown(state())
    records = {
        (partition, outcome): page.value(
            "ledger_records_total", partition=partition, outcome=outcome
        )
        for partition in ("t-0", "t-1")
        for outcome in ("accepted", "json", "too_late")
    }
    assert records == {
        ("t-0", "accepted"): 9,
        ("t-0", "json"): 2,
        ("t-0", "too_late"): 1,
        ("t-1", "accepted"): 5,
        ("t-1", "json"): None,
        ("t-1", "too_late"): None,
    }
    assert page.value("ledger_bytes_total", outcome="accepted") == 140
    assert page.value("ledger_bytes_total", outcome="json") == 21


def test_rows_are_counted_by_stage_and_late_ones_are_not_accepted() -> None:
    page = shown(
        state(
            rows_accepted=20,
            rows_folded=20,
            rows_in_panes=5,
            rows_closed=14,
            rows_late_after_idle=1,
        )
    )
    stages = ("accepted", "folded", "closed", "late_after_idle")
    rows = {stage: page.value("ledger_rows_total", stage=stage) for stage in stages}
    assert rows == {"accepted": 19, "folded": 19, "closed": 14, "late_after_idle": 1}
    assert page.value("rows_in_panes") == 5
    assert page.value("ledger_imbalance") == 0


def test_each_count_of_the_ledger_has_its_counter() -> None:
    page = shown(
        state(
            partials_accepted=7,
            partials_dropped=2,
            gaps=1,
            gap_records=40,
            future=3,
            unremembered=6,
            rows_of_other_variants=7,
            width_mismatches_late_after_idle=8,
        )
    )
    assert page.value("partials_total", outcome="accepted") == 7
    assert page.value("partials_total", outcome="dropped") == 2
    names = ("gaps", "gap_records_lost", "future_events", "ids_unremembered")
    assert [page.value(f"{name}_total") for name in names] == [1, 40, 3, 6]
    assert page.value("ledger_width_mismatches_late_after_idle_total") == 8


def test_an_imbalance_is_the_sum_of_all_differences() -> None:
    broken = state(rows_accepted=10, rows_folded=10, rows_closed=13)
    broken.ledger.partitions["t-0"].read += 4
    assert shown(broken).value("ledger_imbalance") == 4 + 3


def test_a_scrape_returns_the_last_commit_and_no_later_counts() -> None:
    committed = state(rows_accepted=20, rows_folded=20, rows_closed=20)
    page = shown(committed)
    committed.ledger.rows_accepted += 5
    committed.ledger.partitions["t-0"].outcomes["accepted"] += 5
    committed.partitions["t-2"] = PartitionState(1, 0)
    committed.watermark_ms = None
    assert page.value("ledger_rows_total", stage="accepted") == 20
    assert page.value("ledger_records_total", partition="t-0", outcome="accepted") == 9
    assert page.value("partition_idle", partition="t-2") is None
    assert page.value("watermark_timestamp_seconds") == START_MS / 1000
    assert page.value("ledger_imbalance") == 0
    page.metrics.committed(committed, {})
    assert page.value("ledger_rows_total", stage="accepted") == 25


def test_marks_and_watermark_are_seconds_and_a_partition_without_a_mark_has_none() -> None:
    page = shown(state())
    assert page.value("watermark_timestamp_seconds") == START_MS / 1000
    assert page.value("partition_mark_timestamp_seconds", partition="t-0") == START_MS / 1000
    assert page.value("partition_mark_timestamp_seconds", partition="t-1") is None
    assert page.value("partition_idle", partition="t-0") == 0
    assert page.value("partition_idle", partition="t-1") == 1
    assert (page.value("watermark_delay_seconds") or 0) > 0


def test_a_partition_with_an_unknown_lag_keeps_its_last_one() -> None:
    page = shown(state(), {"t-0": 7})
    assert page.value("partition_lag", partition="t-0") == 7
    assert page.value("partition_lag", partition="t-1") is None
    page.metrics.committed(state(), {"t-1": 3})
    assert page.value("partition_lag", partition="t-0") == 7
    assert page.value("partition_lag", partition="t-1") == 3


def test_an_ended_partition_is_counted_and_has_no_gauges_of_its_own() -> None:
    committed = state()
    committed.partitions["t-0"] = PartitionState(1, 12, START_MS, ended=True)
    page = shown(committed, {"t-0": 7})
    assert page.value("partitions_ended") == 1
    gauges = ("mark_timestamp_seconds", "idle", "behind_seconds", "lag")
    assert [page.value(f"partition_{name}", partition="t-0") for name in gauges] == [None] * 4
    assert page.value("partition_idle", partition="t-1") == 1


def test_an_expired_partition_leaves_the_metrics_and_keeps_its_counts_in_one_account() -> None:
    committed = state()
    page = shown(committed)
    committed.ledger.close_account("t-0")
    del committed.partitions["t-0"]
    page.metrics.committed(committed, {})
    assert [
        page.value("ledger_records_total", partition=name, outcome="accepted")
        for name in ("t-0", "t-1", "ended")
    ] == [None, 5, 9]
    assert page.value("partition_idle", partition="t-0") is None


def test_an_episode_is_exported_for_monitored_models_until_it_recovers() -> None:
    opened = EpisodeState(open=open_episode())
    drifted = state()
    for model, active_until_ms, episodes in (
        ("new", START_MS, EpisodeState()),
        ("drifted", START_MS, opened),
        ("removed", None, opened),
    ):
        drifted.keys[f"{model}\x1fv"] = KeyState(active_until_ms=active_until_ms, episodes=episodes)

    def open_episodes() -> dict[str, float | None]:
        page = shown(drifted)
        return {
            model: page.value("episode_open", model=model, variant="v")
            for model in ("new", "drifted", "removed")
        }

    assert open_episodes() == {"new": 0, "drifted": 1, "removed": None}
    drifted.keys["drifted\x1fv"].episodes = EpisodeState()
    assert open_episodes() == {"new": 0, "drifted": 0, "removed": None}


def test_an_open_episode_says_since_when_and_names_its_features_worst_first_and_its_report() -> (
    None
):
    key = {"model": "flights", "variant": "AllTraffic"}
    drifted = state()
    drifted.keys["flights\x1fAllTraffic"] = KeyState(
        active_until_ms=START_MS,
        episodes=EpisodeState(
            open=replace(
                open_episode(),
                features=tuple(f"f{k:02}" for k in range(12)),
                report="the/report",
                sizes={"f07\x1fa": 3.0, "f03\x1fa": 1.0, "f03\x1fb": 9.0, "gone\x1fa": 99.0},
            )
        ),
    )
    page = shown(drifted)
    worst = "f03, f07, f00, f01, f02, f04, f05, f06, f08, f09 and 2 more"
    assert page.value("episode_info", **key, features=worst, report="the/report") == 1
    assert page.value("episode_start_timestamp_seconds", **key) == START_MS / 1000
    drifted.keys["flights\x1fAllTraffic"].episodes = EpisodeState()
    page = shown(drifted)
    assert page.value("episode_start_timestamp_seconds", **key) is None
    assert page.value("episode_info", **key, features=worst, report="the/report") is None
