"""The features of a baseline that are counted in pairs: their choice and their levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import structs

from detectors.decisions.evidence.joint_evidence import LEAST_PAIR_ROWS, rows_in_words
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from detectors.profiles.joint_levels import JointLevels, levels_of_numbers, levels_of_words
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.baselining.column_summary import shown
from stream.baselining.row_order import WINDOW
from stream.errors import ColumnsUnknown

MOST_FEATURES: Final = 40
"""The largest number of features that are counted in pairs: 780 pairs, 100 KB a pane."""
USUAL_FEATURES: Final = 20
"""The number of features that are chosen where none is named."""


def with_levels(layout: Layout, profile: Profile, names: Sequence[str]) -> Layout:
    """The layout in which the named features have levels; ``profile`` counts the baseline's rows.

    Without a name, those are the first 20 features that can depend on others: they are compared
    with the baseline (no times, no identifiers), and have at least two levels. Of names, those that
    cannot are left out. Fewer than two features are no pair, and then none has levels.
    """
    levels = {f.name: _levels(layout, profile, i) for i, f in enumerate(layout.features)}
    able = [f.name for f in layout.features if f.compared and levels[f.name].count > 1]
    chosen = [name for name in able if name in names] if names else able[:USUAL_FEATURES]
    if len(chosen) < 2:
        return layout
    return Layout(
        tuple(
            structs.replace(f, joint=levels[f.name] if f.name in chosen else msgspec.UNSET)
            for f in layout.features
        )
    )


def _levels(layout: Layout, profile: Profile, i: int) -> JointLevels:
    feature, counts = layout.features[i], profile.counts[layout.bins(i)]
    if feature.numeric:
        return levels_of_numbers(np.array(feature.edges), counts)
    return levels_of_words(counts, len(feature.vocabulary))


def require_pairs(layout: Layout, names: Sequence[str]) -> None:
    """Raise if not all of the named features are counted in pairs; without a name, if none is.

    :class:`~stream.errors.ColumnsUnknown` for an unknown name, ``BaselineInvalid`` for a feature
    that cannot depend on others, and for one name or more than 40.
    """
    unknown = [name for name in names if name not in layout.index]
    if unknown:
        raise ColumnsUnknown("training data", "joint", unknown, list(layout.index))
    if len(set(names)) == 1 or len(set(names)) > MOST_FEATURES:
        reason = f"2 to {MOST_FEATURES} columns can be counted in pairs, not {len(set(names))}"
        raise BaselineInvalid("joint", reason)
    counted = {layout.features[i].name for i in layout.joint_features}
    unable = sorted(set(names) - counted)
    if unable:
        reason = "their values never return, or nearly all of them are equal"
        raise BaselineInvalid("joint", f"{', '.join(map(repr, unable))}: {reason}")
    if not counted:
        raise BaselineInvalid("joint", "no two columns have values that vary and return")


def few_rows_lines(baseline: Baseline) -> list[str]:
    """A sentence on each feature whose dependent rows are too few for its pairs, if any is.

    As an example of a window, one of 1,000 rows.
    """
    names = [baseline.layout.features[i].name for i in baseline.layout.joint_features]
    factors = baseline.dependence.factor(names, np.full(len(names), float(WINDOW))).tolist()
    return [
        f"pairs with '{shown(name)}' are judged in larger windows alone: "
        + rows_in_words(WINDOW, factor)
        for name, factor in zip(names, factors, strict=True)
        if WINDOW / factor < LEAST_PAIR_ROWS
    ]
