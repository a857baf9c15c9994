"""Why a published number is what it is: the report is judged again from the counts in its record and compared."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from detectors.baseline import Baseline
from detectors.distances import psi
from detectors.episodes import EpisodeState
from detectors.errors import DetectorError
from detectors.judge import Judge, Span
from detectors.measure import DISTANCES, Measures, measure
from detectors.profile import Profile
from detectors.report import FeatureReport, Violation, WindowReport
from detectors.rules import FeatureRules, Rules
from stream.baselining import load_baseline
from stream.config import load
from stream.errors import ConfigError
from stream.state import read_baseline

MOST_CELLS = 25
FORMULAS = {
    "completeness": "1 - missing / n",
    "noise": "what the deciding statistic exceeds by chance in alpha / judged_features of all windows",
    "limit": "the larger of asked_limit and noise",
    "value": "the deciding statistic",
    "outlier_share": "numbers beyond the baseline's smallest and largest / numbers",
    "asked_limit": "from the configuration, or of comparison_threshold",
    "std": "of the population",
}
CAPTION = (
    "PSI adds half a count to every cell on both sides and first merges cells of fewer than 5 expected; "
    "its part of a cell is told without merging. KS and Wasserstein use finer bins."
)


def explain(
    report_id: str, feature: str, config: Path | None, reports: Path | None, folder: Path | None, console: Console
) -> bool:
    """Print every number of one feature as rebuilt and as published, and the bins that moved; true if all are equal.

    The window is judged again with the rules that the report names. A detector on a series is the exception: it needs the windows before.
    """
    report = find_report(report_id, _report_files(config, reports))
    baseline = _baseline(report, config, folder)
    published = _feature(report, feature)
    try:
        measures = measure(baseline, Profile.decode(report.profile, baseline.layout))
        rebuilt = judged_again(report, baseline)
    except (DetectorError, msgspec.MsgspecError, ValueError, OSError) as error:
        raise ConfigError("REPORT-ID", "a report whose counts can be read", f"a damaged record ({type(error).__name__})") from error
    console.print(f"[bold]{escape(report.id)}[/]: {escape(feature)}, {report.state}, {report.rows} rows")
    again = _feature(rebuilt, feature)
    equal = _numbers(console, again, _comparable(published, again, report))
    equal &= _violations(console, rebuilt, report, feature)
    equal &= rebuilt.rows == report.rows
    _cells(console, measures, baseline.layout.index[feature])
    console.print("[green]equal to what was published[/]" if equal else "[red]differs from what was published[/]")
    return equal


def judged_again(report: WindowReport, baseline: Baseline) -> WindowReport:
    """The report that the counts in ``report`` give with the rules that it names."""
    known = {field.name for field in msgspec.structs.fields(Rules)}
    rules = msgspec.convert({name: value for name, value in report.rules.items() if name in known}, Rules)
    own = {one.name: FeatureRules(limit=one.asked_limit, statistic=one.deciding, enabled=one.enabled) for one in report.features}
    judge = Judge(report.job, rules, {report.model: own}, expose_values=True)
    span = Span(report.model, report.variant, report.start_ms, report.end_ms or 0, report.revision, notes=report.notes)
    return judge.report(span, baseline, Profile.decode(report.profile, baseline.layout), EpisodeState())


def find_report(report_id: str, files: list[Path]) -> WindowReport:
    """The report with this id in files of the jsonl sink; lines that a crash has torn are passed over. Raises ``ConfigError``."""
    wanted = msgspec.json.encode(report_id)
    for line in _lines(files):
        if wanted in line:
            try:
                report = msgspec.json.decode(line, type=WindowReport)
            except msgspec.MsgspecError:
                continue
            if report.id == report_id:
                return report
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


def _comparable(published: FeatureReport, rebuilt: FeatureReport, report: WindowReport) -> FeatureReport:
    """What was published, with the verdict that it would have without detectors on series."""
    mine = [violation.check for violation in report.violations if violation.feature == published.name]
    only_changed = bool(mine) and set(mine) == {"change_check"} and published.verdict == "violation"
    return msgspec.structs.replace(published, verdict=rebuilt.verdict) if only_changed else published


def _numbers(console: Console, rebuilt: FeatureReport, published: FeatureReport) -> bool:
    table, equal = Table("number", "rebuilt", "published", "formula"), True
    for name, value, told in _pairs(rebuilt, published):
        same = _same(value, told)
        equal &= same
        formula = _formula(name) if name in DISTANCES else FORMULAS.get(name, "")
        table.add_row(*(escape(text) for text in (name, _text(value), _text(told), formula)), style=None if same else "red")
    console.print(table)
    return equal


def _formula(distance: str) -> str:
    """The first sentence that a distance says of itself."""
    sentence = (DISTANCES[distance].distances.__doc__ or "").split("\n\n")[0].split(". ")[0].split(".\n")[0]
    return " ".join(sentence.replace("``", "").replace("**", "").split())


def _pairs(rebuilt: FeatureReport, published: FeatureReport) -> Iterator[tuple[str, object, object]]:
    """Every field of both, distances and types one by one."""
    for field in msgspec.structs.fields(FeatureReport):
        value, told = getattr(rebuilt, field.name), getattr(published, field.name)
        if isinstance(value, dict):
            for name in sorted(value.keys() | told.keys()):
                yield name if field.name == "distances" else f"share written as {name}", value.get(name), told.get(name)
        elif field.name != "name":
            yield field.name, value, told


def _same(rebuilt: object, published: object) -> bool:
    if isinstance(rebuilt, float) and isinstance(published, int | float):
        return isclose(rebuilt, published, rel_tol=1e-12, abs_tol=1e-15)
    return rebuilt == published


def _text(value: object) -> str:
    return "-" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)


def _violations(console: Console, rebuilt: WindowReport, report: WindowReport, feature: str) -> bool:
    """Print what was told of the feature; true if the same is found again."""
    found, told = (
        {one.check: one for one in side.violations if one.feature == feature and one.check != "change_check"} for side in (rebuilt, report)
    )
    for one in told.values():
        cause = f" ({one.diagnosis})" if one.diagnosis else ""
        console.print(f"{one.check}: {one.statistic} {one.value:.6g} against {one.limit:.6g}: {escape(one.description + cause)}")
    return found.keys() == told.keys() and all(_alike(found[check], told[check]) for check in told)


def _alike(rebuilt: Violation, published: Violation) -> bool:
    close = _same(rebuilt.value, published.value) and _same(rebuilt.limit, published.limit)
    return close and (rebuilt.n, rebuilt.overwhelming, rebuilt.diagnosis) == (published.n, published.overwhelming, published.diagnosis)


def _cells(console: Console, measures: Measures, i: int) -> None:
    pair = measures.pair
    start, stop = int(pair.layout.cell_starts[i]), int(pair.layout.cell_starts[i + 1])
    parts = psi.contributions(pair)[start:stop]
    columns = ("bin", "before", "after", "share before", "share after", "adds to psi")
    table = Table(*columns, title="bins, the most moved first", caption=CAPTION)
    for k in np.argsort(-parts, kind="stable")[:MOST_CELLS].tolist():
        cell = start + k
        if pair.before[cell] + pair.after[cell]:
            shares = f"{pair.p[cell]:.4f}", f"{pair.q[cell]:.4f}"
            label = escape(pair.layout.cell_labels(i)[k])
            table.add_row(label, str(pair.before[cell]), str(pair.after[cell]), *shares, f"{parts[k]:.6f}")
    console.print(table)
