"""Searches the quietest settings that keep every incident within a rate of other signals."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Sequence
from math import log
from typing import Final

import msgspec
from msgspec import structs

from detectors.decisions.budget import false_alarms_per_ms
from detectors.decisions.rules import Rules
from stream.commands.backtest.incidents import WEEK_MS, Findings
from stream.commands.usage import wrong_option

EFFECTS: Final = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
BUDGETS: Final = ("1 per 7d", "1 per 30d", "1 per 365d")
LIMITS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
_RATE: Final = re.compile(r"(?:at most )?(\d+(?:\.\d+)?) (?:a|per) (day|week|month|year)")
_MS: Final = {
    "day": WEEK_MS / 7,
    "week": WEEK_MS,
    "month": WEEK_MS / 7 * 30,
    "year": 365 / 7 * WEEK_MS,
}


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Some settings of the rules, by key, and what they find."""

    settings: dict[str, float | str]
    findings: Findings

    @property
    def outcome(self) -> tuple[float, ...]:
        """What the settings lead to: incidents found, other signals a week, the median delay."""
        delay = self.findings.median_delay_ms
        return self.findings.found, self.findings.others_a_week, delay or 0.0

    def rank(self, present: Rules) -> tuple[float, ...]:
        """The order of preference: few other signals, then a small delay.

        Then settings that are near to the present ones, and of equally near ones the strictest.
        """
        strictness = self._strictness()
        return *self.outcome[1:], self._distance(present), *map(operator.neg, strictness)

    def _distance(self, present: Rules) -> float:
        """By how many powers of e the settings differ; 0 where no limit is in force."""
        if present.by_evidence:
            rare = 1.0 / false_alarms_per_ms(present.false_alarms)
            in_force: tuple[float | None, ...] = (present.effect, rare)
        else:
            in_force = (present.limit,)
        pairs = zip(self._strictness(), in_force, strict=True)
        return sum(abs(log(own / now)) for own, now in pairs if own and now)

    def _strictness(self) -> tuple[float, ...]:
        """What a drift must exceed, and how rare false alarms are to be."""
        budget = self.settings.get("false_alarms")
        if budget is None:
            return (float(self.settings["limit"]),)
        return float(self.settings["effect"]), 1.0 / false_alarms_per_ms(str(budget))


def rate_a_week(text: str) -> float:
    """The rate that ``--tune`` asks for, in signals a week.

    >>> rate_a_week("at most 2 a week"), rate_a_week("1 per day")
    (2.0, 7.0)
    """
    match = _RATE.fullmatch(" ".join(text.lower().split()))
    if match is None:
        raise wrong_option("--tune", f"expected 'at most 2 a week', found {text!r}")
    return float(match[1]) * WEEK_MS / _MS[match[2]]


def grid(rules: Rules) -> Iterator[tuple[dict[str, float | str], Rules]]:
    """Yield the settings to try, with the rules that they give: those of the mode in force.

    In the mode ``evidence`` the smallest effect and the budget, else the limit of the deciding
    statistic. The settings in force are among them.
    """
    if rules.by_evidence:
        for budget in dict.fromkeys((*BUDGETS, rules.false_alarms)):
            for effect in sorted({*EFFECTS, rules.effect}):
                settings: dict[str, float | str] = {"false_alarms": budget, "effect": effect}
                yield settings, structs.replace(rules, false_alarms=budget, effect=effect)
        return
    for limit in sorted({*LIMITS, *([] if rules.limit is None else [rules.limit])}):
        yield {"limit": limit}, structs.replace(rules, limit=limit)


def quietest(trials: Sequence[Trial], most_a_week: float, present: Rules) -> Trial | None:
    """The quietest trial that finds every incident that any finds, within the asked rate.

    Of those that do the same, the one nearest to the ``present`` rules. ``None`` if no trial does:
    that the rate is too low, or the incidents are too small.
    """
    most = max((trial.findings.found for trial in trials), default=0)
    fitting = [
        trial
        for trial in trials
        if trial.findings.found == most == len(trial.findings.incidents)
        and trial.findings.others_a_week <= most_a_week
    ]
    return min(fitting, key=lambda trial: trial.rank(present), default=None)
