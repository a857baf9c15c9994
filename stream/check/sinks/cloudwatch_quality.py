"""Live check of the quality in CloudWatch: the same as of the sink ``cloudwatch``."""

from __future__ import annotations

from stream.check.sinks.cloudwatch import live_check

__all__ = ["live_check"]
