"""The curves of a binary classifier over all thresholds of its score."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats
from stream.baselining.quality.exact_metrics import by_score

MOST_POINTS: Final = 1_000
"""The largest number of thresholds in a curve, as in Apache Spark, which SageMaker's jobs use."""


def curves(scores: Floats, positive: NDArray[np.bool_]) -> dict[str, dict[str, list[float]]]:
    """Return the ROC curve and the precision-recall curve, from the highest threshold down.

    One point for each distinct score, at most 1,000 of them at even steps. The first curve begins
    at (0, 0) and ends at (1, 1); the second begins at recall 0 with the precision of its first
    point. Empty without a row of each class, where they are undefined.
    """
    positives, negatives = by_score(scores, positive)
    taken_positives = np.cumsum(positives[::-1])
    taken_negatives = np.cumsum(negatives[::-1])
    if not (len(positives) and taken_positives[-1] and taken_negatives[-1]):
        return {}
    points = np.unique(np.linspace(0, len(positives) - 1, MOST_POINTS).round().astype(int))
    tp, fp = taken_positives[points], taken_negatives[points]
    recalls, rates = tp / taken_positives[-1], fp / taken_negatives[-1]
    precisions = tp / (tp + fp)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, *rates.tolist(), 1.0],
            "true_positive_rates": [0.0, *recalls.tolist(), 1.0],
        },
        "precision_recall_curve": {
            "precisions": [float(precisions[0]), *precisions.tolist()],
            "recalls": [0.0, *recalls.tolist()],
        },
    }
