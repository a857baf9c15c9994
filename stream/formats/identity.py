"""Finds the model and the event time of records, in the same way for every format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import DecodedRecords, EventBatch, ModelKey, RawBatch, Rejection
from stream.formats.base import DecodingPlan, IdentityConfig, NameConfig, TimeConfig
from stream.formats.faults import MalformedRecord, RecordFault, absent, visible
from stream.formats.json_text import load_json
from stream.formats.names import name_problem
from stream.formats.timestamps import MISSING_MS, event_times, likely_unit

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
    not in the plan. A name that state or metrics cannot hold is refused.
    """

    def __init__(self, identity: IdentityConfig, plan: DecodingPlan) -> None:
        self._identity = identity
        self._models = plan.models

    def find(
        self, records: Records, at_paths: Mapping[str, Sequence[object]]
    ) -> tuple[NDArray[np.int32], list[ModelKey], dict[int, RecordFault]]:
        """Return the index of each record's model in the keys, the keys, and faults of others.

        An index below 0 has a fault. ``at_paths`` are the values at the paths that names have.
        """
        pairs = self._pairs(records, at_paths)
        numbers: dict[ModelNames, int] = {}
        keys: list[ModelKey] = []
        faults: dict[int, RecordFault] = {}
        for model, variant in dict.fromkeys(pairs):
            fault = self._fault(model, variant)
            if fault is None:
                numbers[model, variant] = len(keys)
                keys.append(ModelKey(str(model), str(variant)))
            else:
                numbers[model, variant] = number = -1 - len(faults)
                faults[number] = fault
        if len(numbers) == 1:
            count = len(records.values)
            return np.full(count, next(iter(numbers.values())), np.int32), keys, faults
        return np.fromiter(map(numbers.__getitem__, pairs), np.int32, len(pairs)), keys, faults

    def _fault(self, model: str | None, variant: str | None) -> RecordFault | None:
        for what, name in (("model", model), ("variant", variant)):
            problem = name_problem(name or "")
            if problem:
                return RecordFault("invalid_name", f"the {what} {problem}")
        if model is None:
            return RecordFault("unknown_model", f"no model: {_place(self._identity.model)}")
        if variant is None:
            return RecordFault("unknown_model", f"no variant: {_place(self._identity.variant)}")
        if model in self._models:
            return None
        return RecordFault("unknown_model", f"the model is {self._shown(model)}")

    def _shown(self, name: str) -> str:
        """Return a name from a record, or its hash unless names may be shown."""
        if self._identity.expose_names:
            return visible(name)
        return f"sha256:{sha256(name.encode()).hexdigest()[:12]}, of {len(name)} characters"

    def _pairs(
        self, records: Records, at_paths: Mapping[str, Sequence[object]]
    ) -> Sequence[ModelNames]:
        """Return the names of each record; a single pair if it is that of all records."""
        model, variant = self._identity.model, self._identity.variant
        if model.source == variant.source == "const":
            return [(model.name, variant.name)]
        models = self._names(model, records, at_paths)
        variants = self._names(variant, records, at_paths)
        return list(zip(models, variants, strict=True))

    def _names(
        self, where: NameConfig, records: Records, at_paths: Mapping[str, Sequence[object]]
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
                values = at_paths[where.name]
                return [value if isinstance(value, str) else None for value in values]


class IdentityResolver:
    """Finds the event time and the model of each record.

    ``time`` is the configured origin of the time, with the format's default path filled in.
    ``paths`` are the dotted paths in a record at which names of models and variants are.
    """

    def __init__(self, identity: IdentityConfig, plan: DecodingPlan, time_path: str) -> None:
        time = identity.time
        self.time = TimeConfig(time.path or time_path, time.unit, time.missing)
        names = (identity.model, identity.variant)
        self.paths = [where.name for where in names if where.source == "path"]
        self._models = _ModelFinder(identity, plan)
        self._plan = plan

    def resolve(
        self,
        records: Records,
        times: Sequence[object],
        names: Sequence[Sequence[object]],
        rejects: dict[int, RecordFault],
    ) -> IdentifiedRecords:
        """Return the times and the models of the records that are not rejected yet.

        ``times`` are the values at the path of the time, ``None`` if there is none; ``names`` are
        those at ``paths``. Adds ``time_missing``, ``time_absurd``, ``invalid_name`` and
        ``unknown_model`` to ``rejects``.
        """
        time_ms = event_times(times, self.time, records.arrival_ms)
        for i in np.flatnonzero(time_ms < 0).tolist():
            if i not in rejects:
                rejects[i] = self._time_fault(time_ms[i], times[i], records.values[i])
        wanted = np.ones(len(records.values), bool)
        wanted[list(rejects)] = False
        at_paths = dict(zip(self.paths, names, strict=True))
        model, keys, faults = self._models.find(records, at_paths)
        for i in np.flatnonzero(wanted & (model < 0)).tolist():
            rejects[i] = faults[int(model[i])]
        return IdentifiedRecords(
            time_ms=np.where(wanted, time_ms, -1),
            model=np.where(wanted, np.maximum(model, -1), -1),
            keys=keys,
            schemas=np.array([self._plan.models[key.model] for key in keys], np.int64),
        )

    def _time_fault(self, time_ms: int, time: object, value: bytes | None) -> RecordFault:
        if time_ms != MISSING_MS:
            return RecordFault("time_absurd", likely_unit(time, self.time.unit))
        try:
            document = load_json(value or b"")
        except MalformedRecord:
            return RecordFault("time_missing")
        return RecordFault("time_missing", absent(document, self.time.path.split(".")))


class IdentifiedRecords(NamedTuple):
    """The time and the model of each record, -1 where unknown, and the schema of each key.

    ``model`` is an index into ``keys``.
    """

    time_ms: NDArray[np.int64]
    model: NDArray[np.int32]
    keys: list[ModelKey]
    schemas: NDArray[np.int64]

    def by_schema(self, rejects: Mapping[int, RecordFault]) -> list[tuple[int, NDArray[np.int64]]]:
        """Return the indices of the records of each schema that are not rejected."""
        if not self.keys:
            return []
        schema = np.where(self.model < 0, -1, self.schemas[self.model])
        schema[list(rejects)] = -1
        return [(s, np.flatnonzero(schema == s)) for s in np.unique(self.schemas).tolist()]

    def decoded(
        self,
        batches: list[EventBatch],
        rejects: Mapping[int, RecordFault],
        event_ids: list[str | None],
        inference_ids: list[str | None],
    ) -> DecodedRecords:
        """Return the decoded records with these batches, rejections and ids."""
        return DecodedRecords(
            time_ms=self.time_ms,
            model=self.model,
            keys=self.keys,
            batches=batches,
            rejects=[Rejection(i, *rejects[i]) for i in sorted(rejects)],
            event_ids=event_ids,
            inference_ids=inference_ids,
        )


def _repeated(names: Sequence[str | None], counts: Sequence[int]) -> list[str | None]:
    return [name for name, count in zip(names, counts, strict=True) for _ in range(count)]


def _first_group(pattern: str, path: str) -> str | None:
    match = re.search(pattern, path)
    return match.group(1) if match else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def _place(where: NameConfig) -> str:
    """Return where a name is expected."""
    if where.source in ("path", "header"):
        return f"no text at {where.source} {visible(where.name)}"
    if where.source == "file":
        return "the pattern does not match the file's path"
    return f"the record has no {where.source}"
