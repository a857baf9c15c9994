"""Checks the conditions of the rules: their syntax, and the columns that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detectors.decisions.condition_numbers import applies
from detectors.decisions.conditions import Condition, condition
from detectors.errors import ConditionInvalid
from detectors.profiles.baseline import Baseline
from stream.config.faults import unknown_name
from stream.errors import ConfigFault

Faults = Iterator[ConfigFault]


def syntax_faults(texts: Sequence[str]) -> Faults:
    """Yield the faults of conditions that cannot be read, or name a number that does not exist."""
    for position, text in enumerate(texts):
        try:
            condition(text)
        except ConditionInvalid as error:
            near = error.reason if not error.name else f"{error.reason}{_listed(error)}"
            yield ConfigFault(
                path=_path(position),
                reason=f"{near}, in {text!r}",
                expected="a condition",
                found=repr(error.name or text),
                valid=error.valid,
            )


def column_faults(
    texts: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    baselines: Mapping[str, Baseline],
) -> Faults:
    """Yield the faults of conditions over columns that no model has, or that have no such number.

    ``columns`` and ``baselines`` are those of all models. A condition that cannot be read is left
    out.
    """
    for position, text in enumerate(texts):
        try:
            own = condition(text)
        except ConditionInvalid:
            continue
        models = [name for name in columns if set(own.features) <= set(columns[name])]
        if models:
            yield from _undefined(_path(position), own, models, baselines)
        else:
            yield _unknown(_path(position), own, columns)


def _path(position: int) -> str:
    return f"rules.conditions[{position}]"


def _listed(error: ConditionInvalid) -> str:
    return f"; valid: {', '.join(error.valid)}"


def _unknown(path: str, own: Condition, columns: Mapping[str, Sequence[str]]) -> ConfigFault:
    """The fault of a column that no model has, or of columns that no model has together."""
    known = list(dict.fromkeys(name for names in columns.values() for name in names))
    for name in own.features:
        if name not in known:
            return unknown_name(path, "column", name, known)
    names = ", ".join(map(repr, own.features))
    return ConfigFault(path=path, reason=f"no model has all of the columns {names}")


def _undefined(
    path: str, own: Condition, models: Sequence[str], baselines: Mapping[str, Baseline]
) -> Faults:
    """The faults of numbers that are defined in none of the models that have the columns."""
    layouts = [baselines[name].layout for name in models]
    for use in own.uses:
        name = use.arguments[-1] if use.arguments else ""
        of_models = [
            layout.features[layout.index[name]] if name in layout.index else None
            for layout in layouts
        ]
        if name and not any(each is None or applies(use.name, each) for each in of_models):
            kind = "numbers" if of_models[0] is not None and of_models[0].numeric else "text"
            reason = f"{use.text} is not defined: {name!r} is a column of {kind}"
            yield ConfigFault(path=path, reason=reason, expected=f"a number that {kind} has")
