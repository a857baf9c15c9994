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
from stream.state.store import read_baseline


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

    The window is judged again with the rules that the report names. A detector on a series is the
    exception: it needs the windows before.
    """
    kept = ArtifactPaths(config) if config else None
    report = find_report(report_id, _report_files(kept, reports))
    baseline = _baseline(report, kept, folder)
    published = _feature(report, feature)
    try:
        measures = measure(baseline, Profile.decode(report.profile, baseline.layout))
        rebuilt = judged_again(report, baseline)
    except (DetectorError, msgspec.MsgspecError, ValueError, OSError) as error:
        raise ConfigError(
            "REPORT-ID",
            "a report whose counts can be read",
            f"a damaged record ({type(error).__name__})",
        ) from error
    page, again = ExplainPage(console), _feature(rebuilt, feature)
    page.head(report, feature, rebuilt.rows)
    numbers = [*_numbers(again, _comparable(published, again, report))]
    page.numbers(numbers)
    equal = rebuilt.rows == report.rows and all(one.same for one in numbers)
    equal &= _violations(page, _by_check(report, feature), _by_check(rebuilt, feature))
    page.bins(measures.pair, baseline.layout.index[feature])
    page.verdict(equal)
    return equal


def judged_again(report: WindowReport, baseline: Baseline) -> WindowReport:
    """The report that the counts in ``report`` give with the rules that it names."""
    known = {field.name for field in msgspec.structs.fields(Rules)}
    rules = msgspec.convert(
        {name: value for name, value in report.rules.items() if name in known}, Rules
    )
    own = {
        one.name: FeatureRules(limit=one.asked_limit, statistic=one.deciding, enabled=one.enabled)
        for one in report.features
    }
    judge = Judge(report.job, rules, {report.model: own}, expose_values=True)
    span = WindowSpan(
        model=report.model,
        variant=report.variant,
        start_ms=report.start_ms,
        end_ms=report.end_ms or 0,
        revision=report.revision,
        notes=report.notes,
    )
    return judge.report(
        span, baseline, Profile.decode(report.profile, baseline.layout), EpisodeState()
    )


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
        if baseline.fingerprint == report.baseline:
            return baseline
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
    """Whether the numbers are equal; sentences may have been worded otherwise by another version."""
    close = _same(rebuilt.value, published.value) and _same(rebuilt.limit, published.limit)
    return close and (rebuilt.n, rebuilt.overwhelming) == (published.n, published.overwhelming)
