"""Features that broke for one reason, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.violation import Action, Cause, SharedCause, Violation

SHOWN: Final = 5
"""The largest number of features that a sentence names."""
KEPT: Final = 20
"""The largest number of features that a cause lists."""
ACTIONS: Final[tuple[Action, ...]] = ("repair_pipeline", "retrain", "look")
"""The actions by urgency: a repair comes before training on broken data."""
ACTION_WORDS: Final[dict[Action, str]] = {
    "repair_pipeline": "repair the pipeline",
    "retrain": "retrain the model",
    "look": "look at the data",
}
"""The actions in words."""
TELLING: Final = ("factor", "offset", "written_as", "kind", "step", "transform")
"""The numbers that must be alike in two digits for two causes to be the same."""


def shared_causes(reasons: Sequence[Violation]) -> tuple[SharedCause, ...]:
    """The causes of these violations, each with its features, the one of most features first.

    Two causes are the same if their names and actions are, and the numbers that tell what happened:
    a factor, an offset, a type. ``unknown`` causes are left out, as are violations without a cause.

    >>> null = Cause(name="null_burst", words="all values are null", numbers={"share": 1.0})
    >>> numbers = dict(check="missing_column_check", statistic="completeness", value=0.0, limit=1.0)
    >>> reasons = [
    ...     Violation(feature=name, n=100, description="", cause=null, **numbers) for name in "ab"
    ... ]
    >>> shared_causes(reasons)[0].words
    '2 columns: all values are null: a, b'
    """
    groups: dict[tuple[str, ...], dict[str, Cause]] = {}
    for reason in reasons:
        if reason.cause is not None and reason.cause.name != "unknown":
            groups.setdefault(_key(reason.cause), {}).setdefault(reason.key, reason.cause)
    found = [_shared(tuple(group), next(iter(group.values()))) for group in groups.values()]
    return tuple(sorted(found, key=lambda shared: -shared.count))


def action_of(reasons: Sequence[Violation]) -> Action:
    """What to do about all of them: ``repair_pipeline`` if one cause asks for it, then ``retrain``.

    ``look`` where no cause is known.

    >>> action_of([])
    'look'
    """
    asked = {reason.cause.action for reason in reasons if reason.cause is not None}
    return next((action for action in ACTIONS if action in asked), "look")


def in_words(causes: Sequence[SharedCause], action: Action) -> list[str]:
    """A sentence for each cause of several features, and one for the action; empty without causes.

    >>> in_words((), "look")
    []
    """
    several = [cause.words for cause in causes if cause.count > 1]
    return [*several, f"what to do: {ACTION_WORDS[action]}"] if causes else []


def _key(cause: Cause) -> tuple[str, ...]:
    """What two causes must have in common to be the same."""
    told = [_rounded(cause.numbers[name]) for name in TELLING if name in cause.numbers]
    whole = str(cause.numbers.get("share") == 1.0)
    return cause.name, cause.action, whole, *told


def _rounded(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.2g}"


def _shared(features: tuple[str, ...], cause: Cause) -> SharedCause:
    if len(features) == 1:
        words = f"{features[0]}: {cause.words}"
    else:
        shown = ", ".join(features[:SHOWN])
        others = f" and {len(features) - SHOWN} others" if len(features) > SHOWN else ""
        words = f"{len(features)} columns: {_common_words(cause)}: {shown}{others}"
    return SharedCause(
        name=cause.name,
        words=words,
        action=cause.action,
        count=len(features),
        features=features[:KEPT],
    )


def _common_words(cause: Cause) -> str:
    """The words of a cause that several features have; without the numbers of one of them."""
    if cause.numbers.get("share") == 1.0 or any(name in cause.numbers for name in TELLING):
        return cause.words
    words = WORDS.get(cause.name, cause.name.replace("_", " "))
    return words + OTHERWISE.get(cause.name, "") if cause.action == "look" else words


WORDS: Final = {
    "null_burst": "values are missing",
    "new_value": "values that the baseline does not know",
    "vanished_value": "known values have vanished",
    "renamed_value": "known values have new names",
    "mean_shift": "the mean has moved",
    "variance_change": "the values spread differently",
    "mix_shift": "known values have other shares",
    "default_value": "a part of the values was replaced by one value",
    "sentinel": "a part of the values is one outside of the usual range",
    "partly_frozen": "a part of the rows has a single value",
    "clipped": "values are clipped to a limit",
    "truncated": "rows beyond a limit are lost",
    "standardised": "values arrive standardised",
    "mixture_shift": "part of the rows is in another unit",
    "swapped_columns": "columns changed places",
}
"""The words for a cause of several features, where its own have the numbers of one feature."""
OTHERWISE: Final = {
    "mean_shift": ", or a factor or another sign explains it as well",
    "mix_shift": ", or values changed places",
}
"""Why a person has to look at a cause of several features that otherwise asks for training."""
