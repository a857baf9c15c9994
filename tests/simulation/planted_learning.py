"""Faults that are planted into the choice of the rows that a baseline is learned from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from stream.aggregation import aggregator
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.learning import collect
from stream.aggregation.state import ModelState
from stream.event_time import LearningRule
from stream.events import Assign, Sample

Patch = pytest.MonkeyPatch


def forgets_the_rows_of_slices(patch: Patch) -> None:
    resume = Aggregator.resume

    def resume_without(self: Aggregator) -> list[Assign]:
        for model in self.state.models.values():
            model.sampled_slices.clear()
        return resume(self)

    patch.setattr(Aggregator, "resume", resume_without)


def measures_from_the_first_to_the_last_row(patch: Patch) -> None:
    def is_due(model: ModelState, rule: LearningRule, every_ms: int) -> bool:
        slices = model.sampled_slices
        passed = max(slices, default=0) - min(slices, default=0)
        return model.sampled_rows >= rule.rows and passed * every_ms >= rule.at_least_ms

    patch.setattr(aggregator, "is_due", is_due)


def keeps_the_first_rows_of_all(patch: Patch) -> None:
    def collect_first(model: ModelState, sample: Sample, rule: LearningRule, every_ms: int) -> None:
        collect(model, sample, replace(rule, rows=6 * rule.rows), every_ms)

    patch.setattr(aggregator, "collect", collect_first)


def learns_without_a_time(patch: Patch) -> None:
    def is_due(model: ModelState, rule: LearningRule, every_ms: int) -> bool:
        return model.sampled_rows >= rule.rows

    patch.setattr(aggregator, "is_due", is_due)


LEARNING: dict[str, Callable[[Patch], None]] = {
    "a restart forgets how many rows a part of the time has": forgets_the_rows_of_slices,
    "the time is that from the first row to the last": measures_from_the_first_to_the_last_row,
    "parts of the time have more rows than their share": keeps_the_first_rows_of_all,
    "a baseline is learned as soon as there are enough rows": learns_without_a_time,
}
