"""The plan by which readers decode and count records: schemas, types and layouts."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.fold import Fold
from detectors.profiles.layout import Feature, Layout
from stream.baselining.columns import ModelColumns
from stream.formats.base import ColumnType, DecodingPlan, Format, Schema
from stream.readers.prediction_rules import PredictionRules


class ReadingPlan:
    """The plan for the records of all models.

    ``decoding`` has the distinct schemas of the models, for the format. ``folds`` has one
    :class:`~detectors.profiles.fold.Fold` for each schema, and ``position[model]`` is the index of
    the model's layout in the fold of its schema. ``fingerprints`` are those of the layouts.
    ``predictions`` says which predictions wait for labels, ``None`` if none do. With
    ``keep_values``, profiles keep the distinct values of each feature. ``names_count``: see
    :class:`~stream.formats.base.DecodingPlan`.
    """

    def __init__(
        self,
        models: Mapping[str, ModelColumns],
        record_format: Format,
        predictions: PredictionRules | None = None,
        keep_values: bool = False,
        names_count: bool = False,
    ) -> None:
        self.models = dict(models)
        self.predictions = predictions
        self.fingerprints = {name: columns.layout.fingerprint for name, columns in models.items()}
        schemas: list[Schema] = []
        members: list[list[str]] = []
        for name, columns in models.items():
            types = _types(columns)
            schema = record_format.schema(columns.outputs, columns.inputs, types)
            if schema not in schemas:
                schemas.append(schema)
                members.append([])
            members[schemas.index(schema)].append(name)
        schema_of = {name: s for s, names in enumerate(members) for name in names}
        self.decoding = DecodingPlan(tuple(schemas), schema_of, names_count)
        self.position = {name: m for names in members for m, name in enumerate(names)}
        self.folds = [
            Fold([models[name].layout for name in names], keep_values) for names in members
        ]

    @property
    def width(self) -> int:
        """The largest number of columns that a record of any model has, at least 1."""
        widths = [len(schema.outputs) + len(schema.inputs) for schema in self.decoding.schemas]
        return max(widths, default=1)


def _types(columns: ModelColumns) -> dict[str, ColumnType]:
    return {name: _type(columns.layout, name) for name in (*columns.outputs, *columns.inputs)}


def _type(layout: Layout, name: str) -> ColumnType:
    """Return the type as which a column is read: raw if the layout does not have it yet."""
    index = layout.index.get(name)
    return ColumnType("raw") if index is None else _read_as(layout.features[index])


def _read_as(feature: Feature) -> ColumnType:
    if not feature.numeric:
        return ColumnType("text")
    return ColumnType("int" if feature.type == "Integral" else "float", feature.cell_reading)
