"""Why a published number is what it is: the report is judged again from the counts in its record
and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from pathlib import Path

import msgspec
from rich.console import Console

from detectors.decisions.episodes import EpisodeState
from detectors.decisions.judge import Judge, WindowSpan
from detectors.decisions.limits import Limits
from detectors.decisions.rules import FeatureRules, Rules
from detectors.errors import DetectorError
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import FeatureReport, Violation, WindowReport
from detectors.statistics.measures import measure
from stream.baselining.build import load_baseline
from stream.commands.explain_page import ExplainPage, RecomputedMetric
from stream.config.artifact_paths import ArtifactPaths
from stream.errors import ConfigError
from stream.state.archive import read_baseline, read_limits


def explain(
    report_id: str,
    feature: str,
    config: Path | None,
    reports: Path | None,
    folder: Path | None,
    console: Console,
) -> bool:
    """Print every number of one feature as rebuilt and as published, and the bins that moved; true
    if all are equal.

    The window is judged again by the limits that the report names, if the state keeps them;
    otherwise by the constraints of the baseline and the rules in the report. A detector on a series
    is the exception: it needs the windows before.
    """
    kept = ArtifactPaths(config) if config else None
    report = find_report(report_id, _report_files(kept, reports))
    baseline = _baseline(report, kept, folder)
    limits = read_limits(kept.state, report.limits) if kept else None
    published = _feature(report, feature)
    try:
        measures = measure(baseline, Profile.decode(report.profile, baseline.layout))
        rebuilt = judged_again(report, baseline, limits)
    except (DetectorError, msgspec.MsgspecError, ValueError, OSError) as error:
        raise ConfigError(
            "REPORT-ID",
            "a report whose counts can be read",
            f"a damaged record ({type(error).__name__})",
        ) from error
    page, again = ExplainPage(console), _feature(rebuilt, feature)
    page.head(report, feature, rebuilt.rows)
    if limits is None and report.limits:
        page.limits_missing(report.limits)
    numbers = [*_numbers(again, _comparable(published, again, report))]
    page.numbers(numbers)
    equal = rebuilt.rows == report.rows and all(one.same for one in numbers)
    equal &= limits is None or rebuilt.rules == report.rules
    equal &= _violations(page, _by_check(report, feature), _by_check(rebuilt, feature))
    page.bins(measures.pair, baseline.layout.index[feature])
    page.verdict(equal)
    return equal


def judged_again(
    report: WindowReport, baseline: Baseline, limits: Limits | None = None
) -> WindowReport:
    """The report that the counts in ``report`` give under these limits, or under those it shows."""
    limits = limits or _shown_limits(report, baseline)
    judge = Judge(report.job, limits.rules, {report.model: limits.features}, expose_values=True)
    span = WindowSpan(
        report.model,
        report.variant,
        report.start_ms,
        report.end_ms or 0,
        report.revision,
        notes=report.notes,
    )
    profile = Profile.decode(report.profile, baseline.layout)
    return judge.report(span, baseline.constrained(limits.constraints), profile, EpisodeState())


def _shown_limits(report: WindowReport, baseline: Baseline) -> Limits:
    """The constraints of the baseline, and the rules and limits that the report shows."""
    known = {field.name for field in msgspec.structs.fields(Rules)}
    shown = {name: value for name, value in report.rules.items() if name in known}
    own = {
        feature.name: FeatureRules(
            limit=feature.asked_limit, statistic=feature.deciding, enabled=feature.enabled
        )
        for feature in report.features
    }
    rules = msgspec.convert(shown, Rules)
    return Limits(constraints=baseline.constraints, rules=rules, features=own)


def find_report(report_id: str, files: list[Path]) -> WindowReport:
    """The report with this id in files of the jsonl sink; lines that a crash has torn are passed
    over. Raises ``ConfigError``.
    """
    wanted = msgspec.json.encode(report_id)
    for line in _lines(files):
        if wanted in line:
            try:
                report = msgspec.json.decode(line, type=WindowReport)
            except msgspec.MsgspecError:
                continue
            if report.id == report_id:
                return report
    raise ConfigError(
        "REPORT-ID", f"the id of a report in {', '.join(map(str, files)) or 'no file'}", report_id
    )


def _lines(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield from file


def _report_files(kept: ArtifactPaths | None, reports: Path | None) -> list[Path]:
    places = [*([reports] if reports else []), *(kept.reports if kept else [])]
    if not places:
        raise ConfigError(
            "--reports",
            "the folder with the reports, or a --config whose jsonl sink has written some",
            "neither",
        )
    return [
        file
        for place in places
        for file in (sorted(place.glob("reports-*.jsonl")) if place.is_dir() else [place])
    ]


def _baseline(report: WindowReport, kept: ArtifactPaths | None, folder: Path | None) -> Baseline:
    folders = [folder, kept.baseline(report.model) if kept else None]
    found = [load_baseline(one) for one in folders if one]
    if kept and (stored := read_baseline(kept.state, report.baseline)):
        found.append(stored)
    for baseline in found:
        if report.baseline in (baseline.fingerprint, baseline.checksum):
            return baseline  # reports of 0.1.0 name the checksum
    seen = ", ".join(baseline.fingerprint for baseline in found) or "none"
    raise ConfigError("--baseline", f"the baseline {report.baseline} that the report names", seen)


def _feature(report: WindowReport, name: str) -> FeatureReport:
    for feature in report.features:
        if feature.name == name:
            return feature
    raise ConfigError(
        "FEATURE",
        "a feature of the report",
        repr(name),
        [feature.name for feature in report.features],
    )


def _comparable(
    published: FeatureReport, rebuilt: FeatureReport, report: WindowReport
) -> FeatureReport:
    """What was published, with the verdict that it would have without detectors on series."""
    mine = [
        violation.check for violation in report.violations if violation.feature == published.name
    ]
    only_changed = bool(mine) and set(mine) == {"change_check"} and published.verdict == "violation"
    return (
        msgspec.structs.replace(published, verdict=rebuilt.verdict) if only_changed else published
    )


def _numbers(rebuilt: FeatureReport, published: FeatureReport) -> Iterator[RecomputedMetric]:
    """Every field of both, distances and types one by one."""
    for field in msgspec.structs.fields(FeatureReport):
        value, told = getattr(rebuilt, field.name), getattr(published, field.name)
        if isinstance(value, dict):
            for name in sorted(value.keys() | told.keys()):
                text = name if field.name == "distances" else f"written as {name}"
                yield RecomputedMetric(
                    text, value.get(name), told.get(name), _same(value.get(name), told.get(name))
                )
        elif field.name != "name":
            yield RecomputedMetric(field.name, value, told, _same(value, told))


def _same(rebuilt: object, published: object) -> bool:
    if isinstance(rebuilt, float) and isinstance(published, int | float):
        return isclose(rebuilt, published, rel_tol=1e-12, abs_tol=1e-15)
    return rebuilt == published


def _by_check(report: WindowReport, feature: str) -> dict[str, Violation]:
    """What is told of the feature, by check; without detectors on series."""
    return {
        one.check: one
        for one in report.violations
        if one.feature == feature and one.check != "change_check"
    }


def _violations(
    page: ExplainPage, published: dict[str, Violation], rebuilt: dict[str, Violation]
) -> bool:
    """Show what was told of the feature, and what should have been; true if the same is found
    again.
    """
    equal = True
    for check, told in published.items():
        found = rebuilt.get(check)
        same = found is not None and _alike(found, told)
        page.violation(told, found, same)
        equal &= same
    for check in [check for check in rebuilt if check not in published]:
        page.unpublished(rebuilt[check])
        equal = False
    return equal


def _alike(rebuilt: Violation, published: Violation) -> bool:
    close = _same(rebuilt.value, published.value) and _same(rebuilt.limit, published.limit)
    return close and (rebuilt.n, rebuilt.overwhelming, rebuilt.diagnosis) == (
        published.n,
        published.overwhelming,
        published.diagnosis,
    )
