"""Finds the model and the event time of records, in the same way for every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import DecodedRecords, EventBatch, ModelKey, RawBatch, Rejection
from stream.formats.base import DecodingPlan, IdentityConfig, NameConfig, TimeConfig
from stream.formats.json_paths import value_at
from stream.formats.rows import load_json
from stream.formats.timestamps import MISSING_MS, event_times

DocumentOf = Callable[[int], object]
"""Returns the parsed event of a record, by the record's index."""
ModelNames = tuple[str | None, str | None]
"""The names of a record's model and variant, ``None`` where there is none."""


class Records:
    """The records of some raw batches, numbered consecutively."""

    def __init__(self, raws: Sequence[RawBatch]) -> None:
        self.raws = raws
        if len(raws) == 1:
            self.values = raws[0].values
        else:
            self.values = list(chain.from_iterable(raw.values for raw in raws))
        self.sizes = [len(raw.values) for raw in raws]
        self.arrival_ms = (
            np.concatenate([raw.arrival_ms for raw in raws]) if raws else np.empty(0, np.int64)
        )

    def record_keys(self) -> list[bytes | None]:
        """Return the key of each record, ``None`` where it has none."""
        return [key for raw in self.raws for key in (raw.keys or [None] * len(raw.values))]

    def headers(self, name: str) -> list[bytes | None]:
        """Return the last header called ``name`` of each record, ``None`` where it has none."""
        headers = ((raw.headers or [[]] * len(raw.values)) for raw in self.raws)
        return [dict(of_record).get(name) for of_record in chain.from_iterable(headers)]


class _ModelFinder:
    """Finds the model of each record.

    A record has an unknown model if the name of its model or variant is missing, is not text, or is
    not in the plan.
    """

    def __init__(self, identity: IdentityConfig, plan: DecodingPlan) -> None:
        self._identity = identity
        self._models = plan.models

    def find(
        self, records: Records, document_of: DocumentOf, wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], list[ModelKey]]:
        """Return the index of each wanted record's model in the keys, -1 if unknown, and the keys.

        ``document_of`` is called for wanted records only.
        """
        pairs = self._pairs(records, document_of, wanted)
        numbers: dict[ModelNames, int] = {}
        keys: list[ModelKey] = []
        for model, variant in dict.fromkeys(pairs):
            if model is None or variant is None or model not in self._models:
                numbers[model, variant] = -1
            else:
                numbers[model, variant] = len(keys)
                keys.append(ModelKey(model, variant))
        if len(numbers) == 1:
            return np.full(len(wanted), next(iter(numbers.values())), np.int32), keys
        return np.fromiter(map(numbers.__getitem__, pairs), np.int32, len(pairs)), keys

    def _pairs(
        self, records: Records, document_of: DocumentOf, wanted: NDArray[np.bool_]
    ) -> Sequence[ModelNames]:
        """Return the names of each record; a single pair if it is that of all records."""
        model, variant = self._identity.model, self._identity.variant
        if model.source == variant.source == "const":
            return [(model.name, variant.name)]
        models = self._names(model, records, document_of, wanted)
        variants = self._names(variant, records, document_of, wanted)
        return list(zip(models, variants, strict=True))

    def _names(
        self,
        where: NameConfig,
        records: Records,
        document_of: DocumentOf,
        wanted: NDArray[np.bool_],
    ) -> Sequence[str | None]:
        match where.source:
            case "const":
                return [where.name] * len(records.values)
            case "topic":
                return _repeated([raw.origin for raw in records.raws], records.sizes)
            case "file":
                names = [_first_group(where.name, raw.origin) for raw in records.raws]
                return _repeated(names, records.sizes)
            case "key":
                return [_text(key) for key in records.record_keys()]
            case "header":
                return [_text(value) for value in records.headers(where.name)]
            case "path":
                path = where.name.split(".")
                return [
                    _name(value_at(document_of(i), path)) if is_wanted else None
                    for i, is_wanted in enumerate(wanted.tolist())
                ]


class IdentityResolver:
    """Finds the event time and the model of each record.

    ``time`` is the configured origin of the time, with the format's default path filled in.
    """

    def __init__(self, identity: IdentityConfig, plan: DecodingPlan, time_path: str) -> None:
        time = identity.time
        self.time = TimeConfig(time.path or time_path, time.unit, time.missing)
        self._models = _ModelFinder(identity, plan)
        self._plan = plan

    def resolve(
        self, records: Records, times: Sequence[object], rejects: dict[int, str]
    ) -> IdentifiedRecords:
        """Return the times and the models of the records that are not rejected yet.

        ``times`` are the values at the path of the time, ``None`` if there is none. Adds
        ``time_missing``, ``time_absurd`` and ``unknown_model`` to ``rejects``.
        """
        time_ms = event_times(times, self.time, records.arrival_ms)
        for i in np.flatnonzero(time_ms < 0).tolist():
            rejects.setdefault(i, "time_missing" if time_ms[i] == MISSING_MS else "time_absurd")
        wanted = np.ones(len(records.values), bool)
        wanted[list(rejects)] = False
        model, keys = self._models.find(
            records, lambda i: load_json(records.values[i] or b""), wanted
        )
        unknown = np.flatnonzero(wanted & (model < 0)).tolist()
        rejects.update(dict.fromkeys(unknown, "unknown_model"))
        return IdentifiedRecords(
            time_ms=np.where(wanted, time_ms, -1),
            model=np.where(wanted, model, -1),
            keys=keys,
            schemas=np.array([self._plan.models[key.model] for key in keys], np.int64),
        )


class IdentifiedRecords(NamedTuple):
    """The time and the model of each record, -1 where unknown, and the schema of each key.

    ``model`` is an index into ``keys``.
    """

    time_ms: NDArray[np.int64]
    model: NDArray[np.int32]
    keys: list[ModelKey]
    schemas: NDArray[np.int64]

    def by_schema(self, rejects: Mapping[int, str]) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the indices of the records of each schema that are not rejected."""
        if not self.keys:
            return []
        schema = np.where(self.model < 0, -1, self.schemas[self.model])
        schema[list(rejects)] = -1
        return [(s, np.flatnonzero(schema == s)) for s in np.unique(self.schemas).tolist()]

    def decoded(
        self,
        batches: list[EventBatch],
        rejects: Mapping[int, str],
        event_ids: list[str | None],
        inference_ids: list[str | None],
    ) -> DecodedRecords:
        """Return the decoded records with these batches, rejections and ids."""
        return DecodedRecords(
            time_ms=self.time_ms,
            model=self.model,
            keys=self.keys,
            batches=batches,
            rejects=[Rejection(i, rejects[i]) for i in sorted(rejects)],
            event_ids=event_ids,
            inference_ids=inference_ids,
        )


def _repeated(names: Sequence[str | None], counts: Sequence[int]) -> list[str | None]:
    return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]


def _first_group(pattern: str, path: str) -> str | None:
    match = re.search(pattern, path)
    return match.group(1) if match else None


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None
