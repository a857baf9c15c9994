"""The segments of a model: what a configuration asks for, and what its baseline has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from detectors.decisions.rules import Rules
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Baseline
from stream.config.faults import unknown_name
from stream.errors import ConfigFault

if TYPE_CHECKING:
    from stream.config.model import ModelConfig


def segment_faults(path: str, model: ModelConfig, rules: Rules) -> Iterator[ConfigFault]:
    """Yield what forbids the segments of a model, as far as it follows without its baseline."""
    if not model.segments:
        return
    if not rules.by_evidence:
        reason = f"segments are judged in rules.mode evidence, and the mode is {rules.mode}"
        yield ConfigFault(path=path, reason=reason)
    if model.learned:
        reason = "a baseline that is learned has no segments: make one with `driftline baseline`"
        yield ConfigFault(path=path, reason=reason)
    names = [each.by for each in model.segments]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigFault(path=path, reason=f"column {name!r} is named more than once in `by`")


def unknown_segments(model: ModelConfig, name: str, columns: Sequence[str]) -> list[ConfigFault]:
    """The faults of segments by a column that is none of those of the model."""
    return [
        unknown_name(f"models.{name}.segments[{position}].by", "column", each.by, columns)
        for position, each in enumerate(model.segments)
        if each.by not in columns
    ]


def divided(
    baseline: Baseline, wanted: Sequence[tuple[str, int]], unlearned: Sequence[str] = ()
) -> Baseline:
    """The baseline with these segments alone, and as if it had been made without the others.

    ``unlearned`` are the columns that it lacks. Raises
    :class:`~detectors.errors.BaselineInvalid` if it has not these segments.
    """
    if wanted and unlearned:
        names = ", ".join(map(repr, unlearned))
        raise BaselineInvalid("segments", f"the baseline lacks {names}; {_advice(wanted)}")
    try:
        return baseline.segmented(wanted)
    except BaselineInvalid as error:
        raise BaselineInvalid(error.field, f"{error.reason}; {_advice(wanted)}") from error


def _advice(wanted: Sequence[tuple[str, int]]) -> str:
    columns = " ".join(f"--segment {by}" for by, _ in wanted)
    most = max(most for _, most in wanted)
    return (
        f"make it again: `driftline baseline TRAIN --out FOLDER {columns} --most-segments {most}`"
    )
