"""The season that a window is compared with, and how its report names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.decisions.rules import Rules
from detectors.profiles.baseline import Baseline
from detectors.report import ComparedSeason
from detectors.violation import Violation

WHOLE: Final = "the whole baseline"
"""What a window is compared with whose season has too few rows."""
COMPARING: Final = ("baseline_drift_check", "vanished_value_check")
"""The checks that compare with the baseline's distribution in every mode."""


def compared_with(baseline: Baseline, start_ms: int, rules: Rules) -> Baseline:
    """What a window that begins then is compared with: its season, if the baseline has any.

    Model Monitor has none, so that its modes compare with the whole baseline.
    """
    if rules.of_model_monitor:
        return baseline.without_seasons
    return baseline.in_season(start_ms)


def compared_season(baseline: Baseline, start_ms: int, rules: Rules) -> ComparedSeason | None:
    """The season that a window which begins then is compared with; ``None`` without seasons."""
    if baseline.seasons is None or rules.of_model_monitor:
        return None
    return ComparedSeason(
        name=baseline.seasons.words(start_ms) or WHOLE,
        version=baseline.seasons.fingerprint,
        rows=baseline.in_season(start_ms).profile.rows,
    )


def with_season(violations: Sequence[Violation], season: ComparedSeason | None) -> list[Violation]:
    """The violations, with the season in the summary of those that compare with the baseline."""
    return [
        msgspec.structs.replace(
            each, summary=f"{each.summary}, compared with {_name(each, season)}"
        )
        if season and (each.finding or each.check in COMPARING)
        else each
        for each in violations
    ]


def _name(violation: Violation, season: ComparedSeason) -> str:
    """The season of the window, or of all that were judged together with it."""
    together = violation.finding is not None and violation.finding.horizon > 1
    return "the seasons of these windows" if together else season.name
