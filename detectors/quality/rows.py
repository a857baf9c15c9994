"""Predictions that have a label, as columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints


class LabelledRows(NamedTuple):
    """Rows with a prediction and a label, as columns of the same length.

    * ``prediction``: the predicted number; for classes the code of the class.
    * ``probability``: the score of the positive class (binary) or of the predicted one
      (multiclass), NaN where there is none.
    * ``label``: the true number; for classes the code of the class.
    * ``weight``: 1 for a row that counts, -1 for one that is withdrawn because its label changed.
    * ``delay_ms``: the time of the label minus the start of the prediction's pane, -1 if it is not
      known.

    The codes of a binary problem are 1 (positive) and 0 (negative). Those of a multiclass problem
    stand for names that the caller keeps.
    """

    prediction: Floats
    probability: Floats
    label: Floats
    weight: Ints
    delay_ms: Ints

    def where(self, kept: NDArray[np.bool_]) -> LabelledRows:
        """Return the rows for which ``kept`` is true."""
        return LabelledRows(
            self.prediction[kept],
            self.probability[kept],
            self.label[kept],
            self.weight[kept],
            self.delay_ms[kept],
        )
