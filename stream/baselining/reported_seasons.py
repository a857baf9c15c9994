"""Counts the windows of past reports by the seasons of a calendar."""

from __future__ import annotations
