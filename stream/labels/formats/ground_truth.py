"""Label format ``ground_truth``: the lines that SageMaker Model Monitor merges."""

from __future__ import annotations

from stream.labels.base import LabelFormat


class GroundTruth(LabelFormat, frozen=True, tag="ground_truth"):
    """Ground truth of SageMaker Model Monitor, one JSON object per record."""
