"""``driftline backtest``: judges the windows of past reports again, by other rules."""
