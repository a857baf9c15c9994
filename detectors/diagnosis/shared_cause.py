"""Features that broke for one reason, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.phrases import number, percent
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
    a factor, an offset, a type. Other numbers are said as ranges over the features, or not at all.
    ``unknown`` causes are left out, as are violations without a cause.

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
    found = [_shared(tuple(group), list(group.values())) for group in groups.values()]
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


def _shared(features: tuple[str, ...], causes: Sequence[Cause]) -> SharedCause:
    if len(features) == 1:
        words = f"{features[0]}: {causes[0].words}"
    else:
        shown = ", ".join(features[:SHOWN])
        others = f" and {len(features) - SHOWN} others" if len(features) > SHOWN else ""
        words = f"{len(features)} columns: {_common_words(causes)}: {shown}{others}"
    return SharedCause(
        name=causes[0].name,
        words=words,
        action=causes[0].action,
        count=len(features),
        features=features[:KEPT],
    )


def _common_words(causes: Sequence[Cause]) -> str:
    """The words that are true of each of these causes: its own, or general ones with ranges."""
    first = causes[0]
    if all(cause.words == first.words for cause in causes):
        return first.words
    words = WORDS.get(first.name, first.name.replace("_", " "))
    words += _details(causes)
    return words + OTHERWISE.get(first.name, "") if first.action == "look" else words


def _details(causes: Sequence[Cause]) -> str:
    """What the numbers of these causes have in common, and the range of the others."""
    told = [str(causes[0].numbers[name]) for name in NAMING if name in causes[0].numbers]
    said = [f" ({told[0]})"] if told else []
    for name, digits in RANGES.items():
        if all(name in cause.numbers for cause in causes):
            low, high = (number(end, digits) for end in _range(causes, name))
            said.append(f", {name} {_between(low, high)}")
    if causes[0].name in OF_SHARES and all("share" in cause.numbers for cause in causes):
        low, high = (percent(end) for end in _range(causes, "share"))
        said.append(f", {_between(low, high).replace(' % to', ' to')} of the rows")
    return "".join(said)


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _range(causes: Sequence[Cause], name: str) -> tuple[float, float]:
    """The least and the largest of a number over all causes, with the range that each gives it."""
    found = [
        float(cause.numbers[key])
        for cause in causes
        for key in (name, f"{name}_low", f"{name}_high")
        if key in cause.numbers
    ]
    return min(found), max(found)


NAMING: Final = ("kind", "written_as", "transform")
"""The texts among the numbers that tell what happened."""
RANGES: Final = {"factor": 3, "offset": 3, "step": 2}
"""The numbers that are said as a range over the features, with their digits."""
OF_SHARES: Final = (
    "null_burst",
    "type_change",
    "format_change",
    "new_value",
    "renamed_value",
    "default_value",
    "sentinel",
    "partly_frozen",
    "mixture_shift",
)
"""The causes whose ``share`` is that of the rows which they changed."""
WORDS: Final = {
    "unit_change": "values are in another unit",
    "offset": "an amount was added to all values",
    "log_taken": "a logarithm was taken, or the inverse of one",
    "rounded": "values are rounded",
    "scaling": "all values have a factor",
    "type_change": "values are written as another type",
    "format_change": "known values have another writing",
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
"""The words for a cause of several features, where their own differ."""
OTHERWISE: Final = {
    "mean_shift": ", or a factor or another sign explains it as well",
    "mix_shift": ", or values changed places",
}
"""Why a person has to look at a cause of several features that otherwise asks for training."""
