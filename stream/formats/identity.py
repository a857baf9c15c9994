"""Which model a record belongs to, and when it happened: the same answers for every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import DecodedRecords, EventBatch, ModelKey, RawBatch, Rejection
from stream.formats.base import DecodingPlan, IdentityConfig, NameConfig, TimeConfig
from stream.formats.json_paths import dig
from stream.formats.rows import load_json
from stream.formats.timestamps import MISSING_MS, event_times

Document = Callable[[int], object]
"""The decoded event of a record, for whoever must look into it."""


class Records:
    """The records of some raw batches, numbered through; ``raw_of[i]`` is the position of record
    ``i``'s raw batch.
    """

    def __init__(self, raws: Sequence[RawBatch]) -> None:
        self.raws = raws
        self.values = (
            raws[0].values
            if len(raws) == 1
            else list(chain.from_iterable(raw.values for raw in raws))
        )
        self.sizes = [len(raw.values) for raw in raws]
        self.arrival_ms = (
            np.concatenate([raw.arrival_ms for raw in raws]) if raws else np.empty(0, np.int64)
        )

    def record_keys(self) -> list[bytes | None]:
        """The key of each record, ``None`` where it has none."""
        return [key for raw in self.raws for key in (raw.keys or [None] * len(raw.values))]

    def headers(self, name: str) -> list[bytes | None]:
        """The last header called ``name`` of each record."""
        found = ((raw.headers or [[]] * len(raw.values)) for raw in self.raws)
        return [dict(headers).get(name) for headers in chain.from_iterable(found)]


class _ModelsOf:
    """Finds the model of each record; a model is told by its position in ``keys``, -1 where it is
    unknown.

    A record whose model or variant cannot be found, is not text, or is not in the plan has an
    unknown model.
    """

    def __init__(self, origin: IdentityConfig, plan: DecodingPlan) -> None:
        self._origin = origin
        self._models = plan.models

    def of(
        self, records: Records, document: Document, wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], list[ModelKey]]:
        """The model of each wanted record and the keys; ``document`` is asked for wanted records
        only.
        """
        if self._origin.model.source == self._origin.variant.source == "const":
            pairs: Sequence[tuple[str | None, str | None]] = [
                (self._origin.model.name, self._origin.variant.name)
            ]
        else:
            models = self._names(self._origin.model, records, document, wanted)
            pairs = list(
                zip(
                    models,
                    self._names(self._origin.variant, records, document, wanted),
                    strict=True,
                )
            )
        numbers: dict[tuple[str | None, str | None], int] = {}
        keys: list[ModelKey] = []
        for model, variant in dict.fromkeys(pairs):
            known = model is not None and variant is not None and model in self._models
            numbers[model, variant] = len(keys) if known else -1
            if model is not None and variant is not None and known:
                keys.append(ModelKey(model, variant))
        if len(numbers) == 1:
            return np.full(len(wanted), next(iter(numbers.values())), np.int32), keys
        return np.fromiter(map(numbers.__getitem__, pairs), np.int32, len(pairs)), keys

    def _names(
        self, where: NameConfig, records: Records, document: Document, wanted: NDArray[np.bool_]
    ) -> Sequence[str | None]:
        match where.source:
            case "const":
                return [where.name] * len(records.values)
            case "topic":
                return self._spread(records, [raw.origin for raw in records.raws])
            case "file":
                return self._spread(
                    records, [_first_group(where.name, raw.origin) for raw in records.raws]
                )
            case "key":
                return [_text(key) for key in records.record_keys()]
            case "header":
                return [_text(value) for value in records.headers(where.name)]
            case "path":
                parts = where.name.split(".")
                return [
                    _name(dig(document(i), parts)) if yes else None
                    for i, yes in enumerate(wanted.tolist())
                ]

    @staticmethod
    def _spread(records: Records, names: Sequence[str | None]) -> list[str | None]:
        return [name for name, size in zip(names, records.sizes, strict=True) for _ in range(size)]


class IdentityResolver:
    """Tells when each record happened and whose it is. ``time`` is where the time lies, the
    format's default filled in.
    """

    def __init__(self, origin: IdentityConfig, plan: DecodingPlan, time_path: str) -> None:
        self.time = TimeConfig(origin.time.path or time_path, origin.time.unit, origin.time.missing)
        self._models = _ModelsOf(origin, plan)
        self._plan = plan

    def of(
        self, records: Records, found: Sequence[object], rejects: dict[int, str]
    ) -> IdentifiedRecords:
        """Times (from what was ``found`` where the time lies) and models of the records that are
        not rejected yet.

        Adds ``time_missing``, ``time_absurd`` and ``unknown_model`` to ``rejects``.
        """
        times = event_times(found, self.time, records.arrival_ms)
        for i in np.flatnonzero(times < 0).tolist():
            rejects.setdefault(i, "time_missing" if times[i] == MISSING_MS else "time_absurd")
        wanted = np.ones(len(records.values), bool)
        wanted[list(rejects)] = False
        model, keys = self._models.of(
            records, lambda i: load_json(records.values[i] or b""), wanted
        )
        rejects.update(
            dict.fromkeys(np.flatnonzero(wanted & (model < 0)).tolist(), "unknown_model")
        )
        times, model = np.where(wanted, times, -1), np.where(wanted, model, -1)
        schemas = np.array([self._plan.models[key.model] for key in keys], np.int64)
        return IdentifiedRecords(times, model, keys, schemas)


class IdentifiedRecords(NamedTuple):
    """Times and models, -1 where they are not known, and the schema of each key."""

    time_ms: NDArray[np.int64]
    model: NDArray[np.int32]
    keys: list[ModelKey]
    schemas: NDArray[np.int64]

    def by_schema(self, rejects: dict[int, str]) -> list[tuple[int, NDArray[np.int64]]]:
        """The records of each schema that are not rejected."""
        if not self.keys:
            return []
        schema = np.where(self.model < 0, -1, self.schemas[self.model])
        schema[list(rejects)] = -1
        return [(s, np.flatnonzero(schema == s)) for s in np.unique(self.schemas).tolist()]

    def decoded(
        self,
        batches: list[EventBatch],
        rejects: dict[int, str],
        event_ids: list[str | None],
        inference_ids: list[str | None],
    ) -> DecodedRecords:
        """Everything put together."""
        told = [Rejection(i, rejects[i]) for i in sorted(rejects)]
        return DecodedRecords(
            self.time_ms, self.model, self.keys, batches, told, event_ids, inference_ids
        )


def _first_group(pattern: str, path: str) -> str | None:
    found = re.search(pattern, path)
    return found.group(1) if found else None


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _name(found: object) -> str | None:
    return found if isinstance(found, str) else None
