"""The estimator that a quality baseline allows."""

from __future__ import annotations

from typing import Literal

from detectors.errors import BaselineInvalid
from detectors.quality.baseline import QualityBaseline
from detectors.quality.estimates.base import Estimator
from detectors.quality.estimates.binary import BinaryEstimator
from detectors.quality.estimates.losses import LossEstimator
from detectors.quality.estimates.multiclass import MulticlassEstimator


def fitted_estimator(baseline: QualityBaseline, method: Literal["cbpe", "dle"]) -> Estimator:
    """Return the estimator with the tables of a baseline.

    Raises :class:`~detectors.errors.BaselineInvalid` if the method does not fit the problem, or if
    the baseline has no table for it.
    """
    regression = baseline.problem == "regression"
    if regression != (method == "dle"):
        fitting = "dle" if regression else "cbpe"
        reason = f"{baseline.problem}, whose quality is estimated by {fitting}, not by {method}"
        raise BaselineInvalid("problem", reason)
    if baseline.losses is not None:
        return LossEstimator(baseline.losses)
    if baseline.calibration is None:
        missing = "losses" if regression else "calibration"
        raise BaselineInvalid(missing, f"none, which {method} needs: make the baseline anew")
    if baseline.problem == "binary":
        return BinaryEstimator(baseline.calibration)
    return MulticlassEstimator(baseline.calibration, baseline.classes, baseline.confusion)
