"""`driftline explain`: recomputes the published metrics of a feature from a report's counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import isclose
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.progress import Progress

from detectors.decisions.evidence.joint_evidence import JOINT
from detectors.decisions.limits import Limits
from detectors.errors import BaselineInvalid, DetectorError
from detectors.profiles.baseline import Baseline
from detectors.profiles.joint_choice import counting_pairs_of
from detectors.profiles.profile import Profile
from detectors.report import FeatureReport, SagemakerFigures, WindowReport
from detectors.statistics.measures import Measures, measure
from detectors.violation import Violation
from stream.baselining.build import load_baseline
from stream.commands.explain_page import ExplainPage, RecomputedMetric
from stream.commands.explain_target import find_quality, find_target
from stream.commands.explained_evidence import evidence_numbers
from stream.commands.explained_joint import print_joint
from stream.commands.explained_segments import print_segments
from stream.commands.judged_again import judged_again
from stream.commands.quality_page import QualityPage
from stream.commands.report_files import ReportFiles
from stream.commands.usage import wrong_option
from stream.config.artifact_paths import ArtifactPaths
from stream.config.faults import unknown_name
from stream.errors import DataError
from stream.state.archive import read_baseline, read_limits
from stream.state.earlier_default import earlier_state

SAGEMAKER: Final = {
    "method": "SageMaker's method",
    "distance": "SageMaker's distance",
    "uncorrected": "before its correction",
    "n": "its total n",
    "m": "its total m",
    "threshold": "its threshold",
    "exceeds": "beyond its threshold",
}
"""Names of the figures of SageMaker's own distance on the page."""
NEED_VALUES: Final = frozenset({"baseline_drift_check", "categorical_values_check"})
"""The checks of SageMaker that need the values of a window, beside its counts."""
TYPES: Final = {"integral": "integer", "fractional": "fraction", "string": "text"}
"""Names of the written types of values on the page, if they differ from those in the report."""


def explain(
    arguments: Sequence[str],
    config: Path | None,
    reports: Path | None,
    folder: Path | None,
    console: Console,
    progress: Progress | None = None,
    *,
    last: bool = False,
) -> bool:
    """Print each metric of a feature as recomputed and as published, and the bins that moved.

    Returns true if all of them match. The window is judged again with the limits that the report
    names, if the state keeps them; otherwise with the constraints of the baseline and the rules in
    the report. Verdicts of change detectors are excluded: they need the previous windows. The
    quality of the window follows, if there is any; of a quality report or a signal about quality
    it is all that is printed.
    ``arguments`` and ``last`` name window and feature, as for
    :func:`stream.commands.explain_target.find_target`.

    Raises ``click.UsageError`` for options that lead to no report, and
    :class:`~stream.errors.DataError` for a report or baseline that cannot be found or read.
    """
    paths = ArtifactPaths(config) if config else None
    files = ReportFiles(paths, reports, progress)
    of_quality = None if last else find_quality(arguments, files)
    if of_quality is not None:
        QualityPage(console).print(of_quality)
        return True
    report, feature = find_target(arguments, files, last=last)
    matches = _explained(_Sides.of(report, paths, folder), feature, files, console)
    quality = None if feature == JOINT else files.quality_of(report)
    if quality is not None:
        QualityPage(console).print(quality)
    return matches


class _Sides(NamedTuple):
    """A report as it was published and as its counts give it, and what both were judged with."""

    published: WindowReport
    recomputed: WindowReport
    baseline: Baseline
    limits: Limits | None
    measures: Measures

    @classmethod
    def of(cls, report: WindowReport, paths: ArtifactPaths | None, folder: Path | None) -> _Sides:
        """Judge a report again; raises :class:`~stream.errors.DataError` if that cannot be done."""
        state = earlier_state(paths.state, report.job) if paths else None
        baseline = _baseline(report, paths, state, folder)
        limits = read_limits(state, report.limits) if state else None
        measures, recomputed = _recomputed(report, baseline, limits)
        return cls(report, recomputed, baseline, limits, measures)

    @property
    def unchecked(self) -> frozenset[str]:
        """The checks that the counts do not decide."""
        return _unchecked(self.published, self.recomputed)


def _explained(sides: _Sides, feature: str, files: ReportFiles, console: Console) -> bool:
    """Print what is known of a feature, or of the pairs; returns true if all of it matches."""
    page, report = ExplainPage(console), sides.published
    if feature == JOINT and report.joint is not None and sides.recomputed.joint is not None:
        page.head(report, feature, sides.recomputed.rows, files.since_ms(report))
        matches = print_joint(console, report.joint, sides.recomputed.joint)
        both = _both_by_check(report, sides.recomputed, feature)
        matches &= _violations(page, *both, frozenset())
    else:
        published = _feature(report, feature)
        page.head(report, feature, sides.recomputed.rows, files.since_ms(report))
        _print_what_decides(page, sides)
        matches = _metrics_match(page, sides, published)
        both = _both_by_check(report, sides.recomputed, feature)
        matches &= _violations(page, *both, sides.unchecked)
        matches &= print_segments(console, report, sides.recomputed, sides.baseline.layout)
        _print_bins(page, sides, feature)
    page.verdict(matches)
    return matches


def _print_what_decides(page: ExplainPage, sides: _Sides) -> None:
    """Print by what the window was judged, and what is not kept of it."""
    report, mode = sides.published, sides.published.rules.get("mode")
    if sides.limits is None and report.limits:
        page.limits_missing(report.limits)
    if mode == "sagemaker-compat":
        page.sagemaker_decides()
    if mode == "evidence":
        page.evidence_decides()
    if sides.unchecked & NEED_VALUES:
        page.values_missing()


def _metrics_match(page: ExplainPage, sides: _Sides, published: FeatureReport) -> bool:
    """Print the metrics of a feature; returns true if all match, and rows and rules as well."""
    report, again = sides.published, _feature(sides.recomputed, published.name)
    metrics = list(_metrics(again, _comparable(published, again, report, sides.unchecked)))
    metrics += _evidence_metrics(report, published, again)
    page.metrics(metrics)
    same_rules = sides.limits is None or sides.recomputed.rules == report.rules
    same_rows = sides.recomputed.rows == report.rows
    return same_rows and same_rules and all(metric.matches for metric in metrics)


def _print_bins(page: ExplainPage, sides: _Sides, feature: str) -> None:
    """Print the bins that moved, and the values that the baseline does not know."""
    pair, i = sides.measures.pair, sides.baseline.layout.index[feature]
    page.bins(pair, i)
    page.new_values(pair.window, i)


def _recomputed(
    report: WindowReport, baseline: Baseline, limits: Limits | None
) -> tuple[Measures, WindowReport]:
    """The measures of the counts in a report, and the report that they give."""
    try:
        counts = Profile.decode(report.profile, baseline.layout)
        measures = measure(baseline.in_season(report.start_ms), counts)
        return measures, judged_again(report, baseline, limits)
    except (DetectorError, msgspec.MsgspecError, ValueError, OSError) as error:
        reason = f"its counts cannot be read, it is damaged ({type(error).__name__})"
        raise DataError(f"report {report.id!r}", reason) from error


def _baseline(
    report: WindowReport, paths: ArtifactPaths | None, state: Path | None, folder: Path | None
) -> Baseline:
    folders = [folder, paths.baseline(report.model) if paths else None]
    predictions = [feature.name for feature in report.features if feature.role == "prediction"]
    candidates = [load_baseline(path, predictions) for path in folders if path]
    seasons = "" if report.season is None else report.season.version
    if state and (stored := read_baseline(state, report.baseline, seasons)):
        candidates.append(stored)
    pairs = report.joint.features if report.joint else ()
    divided = paths.divided_by(report.model) if paths else ()
    candidates = [
        counting_pairs_of(each, pairs)
        for known in candidates
        for each in _divisions(known, divided)
    ]
    # Reports of 0.1.0 name the checksum.
    named = [each for each in candidates if report.baseline in (each.fingerprint, each.checksum)]
    if named and not seasons:
        return named[0].without_seasons
    for baseline in named:
        if baseline.seasons is not None and baseline.seasons.fingerprint == seasons:
            return baseline
    if named:
        reason = f"it needs the seasons {seasons} of its baseline, which is another version of"
        raise DataError(f"report {report.id!r}", f"{reason} them: name its folder with --baseline")
    others = ", ".join(dict.fromkeys(each.fingerprint for each in candidates)) or "none"
    reason = f"it needs the baseline {report.baseline}, found {others}: name its folder with"
    raise DataError(f"report {report.id!r}", f"{reason} --baseline")


def _divisions(baseline: Baseline, divided_by: Sequence[tuple[str, int]]) -> Iterator[Baseline]:
    """The baseline in a folder as a job uses it: with its segments, with some of them, or none."""
    yield from (baseline, baseline.segmented(()))
    with suppress(BaselineInvalid):
        yield baseline.segmented(divided_by)


def _feature(report: WindowReport, name: str) -> FeatureReport:
    for feature in report.features:
        if feature.name == name:
            return feature
    if not report.features:
        reason = f"its state is {report.state!r}: nothing was judged in its window"
        raise DataError(f"report {report.id!r}", reason)
    names = [feature.name for feature in report.features]
    raise wrong_option("FEATURE", unknown_name("", "feature of the report", name, names).reason)


def _comparable(
    published: FeatureReport,
    recomputed: FeatureReport,
    report: WindowReport,
    unchecked: frozenset[str],
) -> FeatureReport:
    """The published numbers, with the verdict that they would have without unchecked checks."""
    checks = {violation.check for violation in report.violations if violation.key == published.name}
    if checks and checks <= unchecked and published.verdict == "violation":
        return msgspec.structs.replace(published, verdict=recomputed.verdict)
    return published


def _unchecked(report: WindowReport, recomputed: WindowReport) -> frozenset[str]:
    """The checks that the counts in a report do not decide.

    Change detectors need the windows before. Two checks of SageMaker need values, which a report
    does not hold where they are many.
    """
    has_distances, again = (
        any(feature.sagemaker for feature in side.features) for side in (report, recomputed)
    )
    by_values = report.rules.get("mode") == "sagemaker-compat"
    needing = NEED_VALUES if by_values and has_distances and not again else frozenset[str]()
    return needing | {"change_check"}


def _metrics(recomputed: FeatureReport, published: FeatureReport) -> Iterator[RecomputedMetric]:
    """Every field of both reports; distances and types one by one, beside the baseline's numbers.

    A distance that only one of the reports has is left out: its distribution was installed or
    removed in between, so that there is nothing to compare. So is SageMaker's own distance where
    the report does not hold the values that it needs.
    """
    sides = (recomputed, published, recomputed.baseline, published.baseline)
    for field in msgspec.structs.fields(FeatureReport):
        values = [getattr(side, field.name, None) for side in sides]
        if field.name in ("distances", "types"):
            again, before = getattr(recomputed, field.name), getattr(published, field.name)
            both = again.keys() & before.keys()
            for name in sorted(both if field.name == "distances" else again.keys() | before.keys()):
                entries = [(value or {}).get(name) for value in values]
                yield _metric(name, entries, published, field.name == "types")
        elif field.name == "sagemaker":
            yield from _sagemaker_metrics(recomputed.sagemaker, published.sagemaker)
        elif field.name not in ("name", "baseline", "evidence"):
            yield _metric(field.name, values, published)


def _sagemaker_metrics(
    recomputed: SagemakerFigures | None, published: SagemakerFigures | None
) -> Iterator[RecomputedMetric]:
    """The figures of SageMaker's own distance; none where the counts hold no values."""
    if recomputed is None:
        return
    for field in msgspec.structs.fields(SagemakerFigures):
        again, before = getattr(recomputed, field.name), getattr(published, field.name, None)
        yield RecomputedMetric(
            name=SAGEMAKER[field.name],
            baseline=None,
            recomputed=again,
            published=before,
            matches=_matches(again, before),
        )


def _evidence_metrics(
    report: WindowReport, published: FeatureReport, recomputed: FeatureReport
) -> Iterator[RecomputedMetric]:
    for name, again, before in evidence_numbers(report, published, recomputed):
        matches = _matches(again, before)
        yield RecomputedMetric(name, None, again, before, matches)


def _metric(
    name: str, values: Sequence[object], published: FeatureReport, is_type: bool = False
) -> RecomputedMetric:
    """A metric from its values: as recomputed and as published, and the same two of the baseline.

    Reports of 0.1.0 have no numbers of the baseline to compare.
    """
    again, before, baseline_again, baseline_before = values
    baseline_matches = published.baseline is None or _matches(baseline_again, baseline_before)
    return RecomputedMetric(
        name=f"share written as {TYPES.get(name, name)}" if is_type else name,
        baseline=baseline_again,
        recomputed=again,
        published=before,
        matches=_matches(again, before) and baseline_matches,
        is_share=is_type,
    )


def _matches(recomputed: object, published: object) -> bool:
    if isinstance(recomputed, float) and isinstance(published, int | float):
        return isclose(recomputed, published, rel_tol=1e-12, abs_tol=1e-15)
    return recomputed == published


def _by_check(report: WindowReport, feature: str) -> dict[str, Violation]:
    """The violations of the feature in all rows by check, without those of change detectors."""
    return {
        violation.check: violation
        for violation in report.violations
        if violation.key == feature and violation.check != "change_check"
    }


def _both_by_check(
    report: WindowReport, recomputed: WindowReport, feature: str
) -> tuple[dict[str, Violation], dict[str, Violation]]:
    return _by_check(report, feature), _by_check(recomputed, feature)


def _violations(
    page: ExplainPage,
    published: dict[str, Violation],
    recomputed: dict[str, Violation],
    unchecked: frozenset[str],
) -> bool:
    """Print published and unpublished violations; returns true if all match.

    Those of ``unchecked`` checks are shown as they were published.
    """
    all_match = True
    for check, violation in published.items():
        again = violation if check in unchecked else recomputed.get(check)
        matches = again is not None and _violation_matches(again, violation)
        page.violation(violation, again, matches)
        all_match &= matches
    unpublished = [check for check in recomputed if check not in published.keys() | unchecked]
    for check in unpublished:
        page.unpublished(recomputed[check])
    return all_match and not unpublished


def _violation_matches(recomputed: Violation, published: Violation) -> bool:
    """Return whether the numbers are equal; sentences may differ between versions."""
    values = _matches(recomputed.value, published.value)
    limits = _matches(recomputed.limit, published.limit)
    rest = (recomputed.n, recomputed.overwhelming) == (published.n, published.overwhelming)
    return values and limits and rest
