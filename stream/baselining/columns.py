"""The columns of a model: those of the response and those of the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from stream.config.model import Config
from stream.errors import BaselineMismatch


class ModelColumns(NamedTuple):
    """The columns of one model, its layout, and the columns that have no bins yet."""

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
    """Return the columns of a model, from its baseline unless ``outputs`` and ``inputs`` are given.

    Without names, the baseline's columns are used in their order: those with the role
    ``prediction`` are outputs, all others inputs. A named column that the baseline does not have is
    learned.

    Raises :class:`~stream.errors.BaselineMismatch` if a feature of the baseline is in neither list.
    """
    layout = baseline.layout if baseline else Layout(())
    predictions = {feature.name for feature in layout.features if feature.role == "prediction"}
    known = baseline.columns if baseline else ()
    if outputs is None:
        outputs = [name for name in known if name in predictions]
    if inputs is None:
        inputs = [name for name in known if name not in predictions and name not in outputs]
    named = (*outputs, *inputs)
    unnamed = [feature.name for feature in layout.features if feature.name not in named]
    if unnamed:
        field = f"features {', '.join(unnamed)}"
        raise BaselineMismatch(model, field, "a column in outputs or inputs", "none")
    unlearned = tuple(name for name in named if name not in layout.index and name not in known)
    return ModelColumns(tuple(outputs), tuple(inputs), layout, unlearned)


def model_columns(config: Config, name: str, baseline: Baseline) -> ModelColumns:
    """The columns of one configured model with a baseline, which may be empty."""
    model = config.models[name]
    return columns_of(name, baseline, model.outputs, model.inputs)


def columns_by_model(config: Config, baselines: Mapping[str, Baseline]) -> dict[str, ModelColumns]:
    """The columns of all configured models with the baselines in force."""
    return {name: model_columns(config, name, baselines[name]) for name in config.models}
