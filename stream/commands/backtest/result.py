"""What a backtest has found, as its text, its JSON and its page show it."""

from __future__ import annotations

import msgspec

from stream.commands.backtest.incidents import Findings
from stream.commands.backtest.judging import Backtest
from stream.commands.backtest.tuning import Trial


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest has found, and the notes on what was left out."""

    backtest: Backtest
    findings: Findings
    trials: tuple[Trial, ...] = ()
    best: Trial | None = None
    most_a_week: float | None = None
    notes: tuple[str, ...] = ()
