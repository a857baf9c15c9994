"""What the readers must know of the models: columns, types, layouts, and what is still being
learned.
"""

from __future__ import annotations

from collections.abc import Mapping

from detectors.profiles.fold import Fold
from detectors.profiles.layout import Feature, Layout
from stream.baselining.columns import ModelColumns
from stream.formats.base import ColumnType, DecodingPlan, Format, Schema

_READ_AS: Mapping[str, ColumnType] = {
    "Integral": "int",
    "Fractional": "float",
    "String": "text",
    "Unknown": "text",
}


class ReadingPlan:
    """The schemas of all models, a decoder's plan, and one :class:`~detectors.profiles.fold.Fold` a
    schema.

    ``position[model]`` is the position of the model's layout in the fold of its schema.
    """

    def __init__(self, models: Mapping[str, ModelColumns], form: Format) -> None:
        self.models = dict(models)
        self.fingerprints = {name: columns.layout.fingerprint for name, columns in models.items()}
        schemas: list[Schema] = []
        members: list[list[str]] = []
        for name, columns in models.items():
            schema = form.schema(columns.outputs, columns.inputs, _types(columns))
            if schema not in schemas:
                schemas.append(schema)
                members.append([])
            members[schemas.index(schema)].append(name)
        of_model = {name: s for s, names in enumerate(members) for name in names}
        self.plan = DecodingPlan(tuple(schemas), of_model)
        self.position = {name: m for names in members for m, name in enumerate(names)}
        self.folds = [Fold([models[name].layout for name in names]) for names in members]

    @property
    def width(self) -> int:
        """Most columns that a record of any model has."""
        return max(
            (len(schema.outputs) + len(schema.inputs) for schema in self.plan.schemas), default=1
        )


def _types(columns: ModelColumns) -> dict[str, ColumnType]:
    return {name: _type(columns.layout, name) for name in (*columns.outputs, *columns.inputs)}


def _type(layout: Layout, name: str) -> ColumnType:
    place = layout.index.get(name, -1)
    return "raw" if place < 0 else _read_as(layout.features[place])


def _read_as(feature: Feature) -> ColumnType:
    return _READ_AS[feature.type] if feature.numeric else "text"
