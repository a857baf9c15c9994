"""Why a published number is what it is: rebuilt from the counts in the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from detectors.baseline import Baseline
from detectors.distances import psi
from detectors.measure import DISTANCES, Measures, measure
from detectors.noise import noise
from detectors.profile import Profile
from detectors.report import FeatureReport, WindowReport
from stream.baselining import load_baseline
from stream.config import load
from stream.errors import ConfigError
from stream.state import read_baseline

MOST_CELLS = 25


def explain(
    report_id: str, feature: str, config: Path | None, reports: Path | None, folder: Path | None, console: Console
) -> bool:
    """Print formula, counts before and after, noise, limit and the bins that moved; true if all equals what was published."""
    report = find_report(report_id, _report_files(config, reports))
    baseline = _baseline(report, config, folder)
    published = _feature(report, feature)
    measures = measure(baseline, Profile.decode(report.profile, baseline.layout))
    i = baseline.layout.index[feature]
    console.print(f"[bold]{report.id}[/]: {feature}, {report.state}, {int(measures.n[i])} rows")
    equal = _numbers(console, report, published, measures, i)
    _cells(console, measures, i)
    console.print("[green]equal to what was published[/]" if equal else "[red]differs from what was published[/]")
    return equal


def find_report(report_id: str, files: list[Path]) -> WindowReport:
    """The report with this id in files of the jsonl sink. Raises ``ConfigError`` if none has it."""
    wanted = b'"id":' + msgspec.json.encode(report_id)
    for line in _lines(files):
        if wanted in line:
            return msgspec.json.decode(line, type=WindowReport)
    raise ConfigError("REPORT-ID", f"the id of a report in {', '.join(map(str, files)) or 'no file'}", report_id)


def _lines(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield from file


def _report_files(config: Path | None, reports: Path | None) -> list[Path]:
    places = [reports] if reports else []
    if config:
        places += [Path(path) for sink in load(config).sinks if (path := getattr(sink, "path", None)) and Path(path).exists()]
    if not places:
        raise ConfigError("--reports", "where the reports lie, or a --config with a jsonl sink", "neither")
    return [file for place in places for file in (sorted(place.glob("reports-*.jsonl")) if place.is_dir() else [place])]


def _baseline(report: WindowReport, config: Path | None, folder: Path | None) -> Baseline:
    found = [load_baseline(folder)] if folder else []
    if config:
        loaded = load(config)
        found += [load_baseline(Path(m.baseline)) for m in loaded.models.values() if not m.learned and Path(m.baseline).is_dir()]
        kept = read_baseline(Path(loaded.state.path), report.baseline)
        found += [kept] if kept else []
    for baseline in found:
        if baseline.fingerprint == report.baseline:
            return baseline
    seen = ", ".join(baseline.fingerprint for baseline in found) or "none"
    raise ConfigError("--baseline", f"the baseline {report.baseline} that the report names", seen)


def _feature(report: WindowReport, name: str) -> FeatureReport:
    for feature in report.features:
        if feature.name == name:
            return feature
    raise ConfigError("FEATURE", "a feature of the report", repr(name), [feature.name for feature in report.features])


def _numbers(console: Console, report: WindowReport, published: FeatureReport, measures: Measures, i: int) -> bool:
    table, equal = Table("number", "rebuilt", "published", "formula"), True
    alpha = float(report.rules["alpha"]) / max(int(report.rules["judged_features"]), 1)
    rows = {name: values[i] for name, values in measures.distances.items()}
    rows |= {"completeness": measures.completeness[i], "mean": measures.mean[i], "std": measures.std[i]}
    rows["noise"] = noise(published.deciding, measures, alpha)[i]
    rows["value"] = measures.distances[published.deciding][i]
    for name, value in rows.items():
        told = published.distances[name] if name in published.distances else getattr(published, name)
        same = _same(float(value), told)
        equal &= same
        formula = (DISTANCES[name].distances.__doc__ or "").splitlines()[0] if name in DISTANCES else ""
        table.add_row(name, f"{value:.10g}", "-" if told is None else f"{told:.10g}", formula)
    table.add_row("limit", "", "-" if published.limit is None else f"{published.limit:.10g}", "the configured limit, never below noise")
    console.print(table)
    return equal


def _same(rebuilt: float, published: float | None) -> bool:
    if published is None:
        return not np.isfinite(rebuilt)
    return bool(np.isclose(rebuilt, published, rtol=1e-12, atol=1e-15))


def _cells(console: Console, measures: Measures, i: int) -> None:
    pair = measures.pair
    start, stop = int(pair.layout.cell_starts[i]), int(pair.layout.cell_starts[i + 1])
    parts = psi.contributions(pair)[start:stop]
    table = Table("bin", "before", "after", "share before", "share after", "adds to psi", title="bins, the most moved first")
    for k in np.argsort(-parts, kind="stable")[:MOST_CELLS].tolist():
        cell = start + k
        if pair.before[cell] + pair.after[cell]:
            shares = f"{pair.p[cell]:.4f}", f"{pair.q[cell]:.4f}"
            label = pair.layout.cell_labels(i)[k]
            table.add_row(label, str(pair.before[cell]), str(pair.after[cell]), *shares, f"{parts[k]:.6f}")
    console.print(table)
