"""Compares the columns of a sample with the baselines: lost columns, types, and likely settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from detectors.phrases import counted
from detectors.profiles.profile import Profile
from detectors.statistics.measures import Measures, measure
from stream.check.findings import Finding, format_share
from stream.check.setup import CheckContext
from stream.events import DecodedRecords, ModelKey, RawBatch
from stream.formats.base import Schema
from stream.formats.faults import MalformedRecord, listed
from stream.formats.json import ColumnPaths, Json
from stream.readers.build import plan_of
from stream.readers.grouping import group_rows, merge_by_pane, take_rows

MOST_NAMES: Final = 10
"""The number of columns that a finding names."""
MAX_UNFIT: Final = 0.5
"""A larger share of values of another type is worth a warning."""
DEEPEST: Final = 5
"""The depth to which objects of a record are searched for columns."""
SEARCHED: Final = 20
"""The number of records in which columns are searched."""

Documents = list[dict[str, Any]]


def column_findings(
    subject: str, raws: Sequence[RawBatch], decoded: DecodedRecords, context: CheckContext
) -> list[Finding]:
    """Return findings about the columns of each model that has rows in the sample.

    A column of the baseline without a value in any row is a fault if that holds for all columns of
    the request, else a warning. They hold names, but no values.
    """
    findings: list[Finding] = []
    documents = _documents(raws)
    for model, profile in sorted(_profiles(context, decoded).items()):
        measures = measure(context.baselines[model], profile)
        findings += _of_model(f"{subject}, model {model}", measures, documents, context)
    return findings


def _profiles(context: CheckContext, decoded: DecodedRecords) -> dict[str, Profile]:
    """The counts of each model over the whole sample."""
    plan = plan_of(context.config, context.baselines)
    anytime = np.zeros(len(decoded.time_ms), np.int64)
    counted_rows: list[tuple[ModelKey, int, Profile]] = []
    for batch in decoded.batches:
        groups = group_rows(batch, decoded.model, anytime, decoded.model < 0)
        if not len(groups.rows):
            continue
        columns = {name: take_rows(column, groups.rows) for name, column in batch.columns.items()}
        keys = [decoded.keys[m]._replace(variant="") for m in groups.model]
        layouts = [plan.position[key.model] for key in keys]
        folded = plan.folds[batch.schema].fold(columns, layouts, groups.bounds)
        counted_rows += zip(keys, groups.pane_ms.tolist(), folded, strict=True)
    return {key.model: profile for key, _, profile in merge_by_pane(counted_rows)}


def _of_model(
    subject: str, measures: Measures, documents: Documents, context: CheckContext
) -> Iterator[Finding]:
    features = measures.layout.features
    if not features:
        return
    had_values = measures.baseline_rows > measures.pair.baseline.missing
    lost = (measures.present == 0) & had_values
    rows = counted(int(measures.n.max()), "row")
    names = [feature.name for feature, is_lost in zip(features, lost, strict=True) if is_lost]
    requested = [feature.name for feature in features if feature.role == "feature"]
    if requested and set(requested) <= set(names):
        message = f"columns: none of {counted(len(requested), 'feature')} has a value in {rows}"
        yield Finding(subject, message, "fault", _advice(documents, requested, context))
    elif names:
        message = f"columns: no value in {rows}: {listed(names)}"
        advice = "Correct the paths under format, or the names in outputs and inputs"
        yield Finding(subject, message, "warning", advice)
    else:
        yield Finding(subject, f"columns: {counted(len(features), 'column')} have values in {rows}")
    yield from _types(subject, measures)
    yield from _quoted(subject, measures, documents, context)


def _quoted(
    subject: str, measures: Measures, documents: Documents, context: CheckContext
) -> Iterator[Finding]:
    """Warn about numbers that are sent as JSON text, which are counted as numbers."""
    form = context.config.format
    if not isinstance(form, Json):
        return
    numbers = {
        feature.name: feature.role for feature in measures.layout.features if feature.numeric
    }
    outputs = tuple(name for name, role in numbers.items() if role == "prediction")
    inputs = tuple(name for name, role in numbers.items() if role == "feature")
    names = [
        name
        for name, paths in form.paths(Schema(outputs, inputs, {}))
        if any(isinstance(_cell(paths, document, name), str) for document in documents)
    ]
    if names:
        message = f"columns: numbers that are sent as JSON text: {listed(names)}"
        advice = "They are counted as numbers: whoever sends them should write them without quotes"
        yield Finding(subject, message, "warning", advice)


def _cell(paths: ColumnPaths, document: object, name: str) -> object:
    try:
        return paths.cells(document, [name])[0]
    except MalformedRecord:
        return None


def _types(subject: str, measures: Measures) -> Iterator[Finding]:
    """Warn about columns most of whose values are of another type than in the baseline."""
    with np.errstate(invalid="ignore"):
        unfit = (measures.type_match < 1 - MAX_UNFIT) & (measures.present > 0)
        unfit &= measures.baseline_type_match >= 1 - MAX_UNFIT
    for i in np.flatnonzero(unfit)[:MOST_NAMES].tolist():
        feature = measures.layout.features[i]
        share = format_share(round(float(measures.type_match[i] * 1000)), 1000)
        message = f"columns: {feature.name!r} is {feature.type} in the baseline, {share} here"
        advice = "Make the baseline from data as the endpoint receives it, or correct the path"
        yield Finding(subject, message, "warning", advice)


def _advice(documents: Documents, names: Sequence[str], context: CheckContext) -> str:
    """The setting that would find the columns, or the keys that there are."""
    if not isinstance(context.config.format, Json) or not documents:
        return "Compare the names in outputs and inputs with the payload"
    holders: dict[str, int] = {}
    for document in documents:
        for path, overlap in _holders(document, frozenset(names), "", DEEPEST):
            holders[path] = max(holders.get(path, 0), overlap)
    best = max(holders, key=lambda path: holders[path], default=None)
    if best:
        found = f"{holders[best]} of them are keys of {best!r}"
        return f"{found}: set `format: {{type: json, features: {best}}}`"
    keys = listed(sorted({key for document in documents for key in document}))
    return f"The records have the keys {keys}: correct format.features, or the names in inputs"


def _documents(raws: Sequence[RawBatch]) -> Documents:
    """A few records that are JSON objects."""
    values = [value for raw in raws for value in raw.values[:SEARCHED]]
    return [document for value in values if isinstance(document := _document(value), dict)][
        :SEARCHED
    ]


def _document(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"")
    except (ValueError, RecursionError):
        return None


def _holders(
    document: Mapping[str, Any], names: frozenset[str], path: str, depth: int
) -> Iterator[tuple[str, int]]:
    """The path of each object that has some of the names as keys, and their number."""
    overlap = len(names & document.keys())
    if overlap:
        yield path, overlap
    for key, value in document.items():
        if isinstance(value, dict) and depth:
            yield from _holders(value, names, f"{path}.{key}" if path else key, depth - 1)
