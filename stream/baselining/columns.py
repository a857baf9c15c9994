"""The columns of a model: answer and request, with or without a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from stream.config.model import Config
from stream.errors import BaselineMismatch


class ModelColumns(NamedTuple):
    """One model as its reader sees it: the names of its columns, its layout, and the columns that
    have no bins yet.
    """

    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    layout: Layout
    unlearned: tuple[str, ...] = ()


def columns_of(
    model: str,
    baseline: Baseline | None,
    outputs: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
) -> ModelColumns:
    """The columns of a model, from its baseline unless they are given.

    Without names, the baseline's columns serve in their order: those with the role ``prediction``
    are the answer's, all others the request's. A named column that the baseline does not have is
    learned. Raises :class:`~stream.errors.BaselineMismatch` if a feature of the baseline is in
    neither list.
    """
    layout = baseline.layout if baseline else Layout(())
    predictions = {feature.name for feature in layout.features if feature.role == "prediction"}
    known = baseline.columns if baseline else ()
    if outputs is None:
        outputs = [name for name in known if name in predictions]
    if inputs is None:
        inputs = [name for name in known if name not in predictions and name not in outputs]
    named = (*outputs, *inputs)
    lost = [feature.name for feature in layout.features if feature.name not in named]
    if lost:
        raise BaselineMismatch(
            model, f"features {', '.join(lost)}", "a column in outputs or inputs", "none"
        )
    unlearned = tuple(name for name in named if name not in layout.index and name not in known)
    return ModelColumns(tuple(outputs), tuple(inputs), layout, unlearned)


def model_columns(config: Config, name: str, baseline: Baseline) -> ModelColumns:
    """The columns of one configured model under a baseline; an empty one gives none of its own."""
    model = config.models[name]
    return columns_of(name, baseline, model.outputs, model.inputs)


def columns_now(config: Config, baselines: Mapping[str, Baseline]) -> dict[str, ModelColumns]:
    """The columns of all configured models under the baselines in force."""
    return {name: model_columns(config, name, baselines[name]) for name in config.models}
