"""Runs a backtest: reads the reports, judges them again, and shows what would have been told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
import msgspec
from msgspec import structs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from detectors.decisions.brief_judge import BriefJudge
from detectors.decisions.rules import Rules
from detectors.profiles.joint_choice import counting_pairs_of
from stream.baselining.build import load_baseline
from stream.baselining.configured import configured_baselines
from stream.commands.backtest.incidents import ListedIncident, findings_of, read_incidents
from stream.commands.backtest.judging import Advance, judged_again
from stream.commands.backtest.page import BacktestHeading, write_page
from stream.commands.backtest.past_windows import (
    KnownBaselines,
    PastWindows,
    told,
    told_of_lines,
)
from stream.commands.backtest.result import Result
from stream.commands.backtest.text import as_json, print_backtest
from stream.commands.backtest.tuning import Trial, grid, quietest, rate_a_week
from stream.commands.command_group import complain
from stream.commands.options import judging_bar, progress_bar
from stream.commands.report_files import ReportFiles
from stream.commands.usage import wrong_option
from stream.config.model import Config
from stream.errors import DataError
from stream.service.reconcile import judge_of
from stream.state.archive import read_baseline
from stream.state.earlier_default import earlier_state

WIDTH = 160
"""The width of tables where the output is not a terminal."""


class BacktestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of ``driftline backtest``."""

    reports: Path
    incidents: Path | None = None
    tune: str = ""
    html: Path | None = None
    json: bool = False
    model: str = ""
    baselines: tuple[Path, ...] = ()


def show_backtest(config: Config, request: BacktestRequest) -> int:
    """Run the backtest, print its result and write the page; returns the exit code.

    Raises ``click.UsageError`` for wrong options, and :class:`~stream.errors.DataError` where no
    window can be judged.
    """
    if request.model and request.model not in config.models:
        names = ", ".join(config.models)
        raise wrong_option("--model", f"no model {request.model!r}; the models are {names}")
    most_a_week = rate_a_week(request.tune) if request.tune else None
    incidents = (
        [] if request.incidents is None else read_incidents(request.incidents, [*config.models])
    )
    with progress_bar() as bar:
        files = ReportFiles(None, request.reports, bar)
        windows = PastWindows(files, config.job, config.models, request.model)
    if not windows:
        raise DataError(str(request.reports), _nothing(windows, files))
    result = _judged(config, request, windows, files, incidents, most_a_week)
    _show(config, request, result)
    return 0


def _nothing(windows: PastWindows, files: ReportFiles) -> str:
    if not files.files:
        return "no file of reports: name the folder of a jsonl sink, with reports-*.jsonl"
    counts = ", ".join(f"{count:,} {state}" for state, count in windows.left_out.items())
    nothing = f"no report with counts in {len(files.files)} files"
    nothing += f" ({counts})" if counts else ""
    return "; ".join([nothing, *told_of_lines(windows, files.files)])


def _judged(
    config: Config,
    request: BacktestRequest,
    windows: PastWindows,
    files: ReportFiles,
    incidents: Sequence[ListedIncident],
    most_a_week: float | None,
) -> Result:
    baselines = _baselines(config, request)
    problems: Counter[str] = Counter()
    tried = list(grid(config.rules)) if most_a_week is not None else []
    with _judging_bar(len(windows) * (1 + len(tried))) as advance:
        judge = partial(judged_again, windows, baselines, advance=advance)
        backtest = judge(judge=judge_of(config, kind=BriefJudge), problems=problems)
        if not backtest.windows:
            raise DataError(str(request.reports), "; ".join(told(windows, problems, files.files)))
        trials = tuple(
            Trial(
                settings=settings,
                findings=findings_of(
                    judge(
                        judge=judge_of(_with(config, rules), kind=BriefJudge), problems=Counter()
                    ),
                    incidents,
                ),
            )
            for settings, rules in tried
        )
    return Result(
        backtest=backtest,
        findings=findings_of(backtest, incidents),
        trials=trials,
        best=None if most_a_week is None else quietest(trials, most_a_week, config.rules),
        most_a_week=most_a_week,
        notes=tuple(told(windows, problems, files.files)),
    )


def _with(config: Config, rules: Rules) -> Config:
    return structs.replace(config, rules=rules)


def _baselines(config: Config, request: BacktestRequest) -> KnownBaselines:
    of_models = {
        name: baseline
        for name, baseline in configured_baselines(config).items()
        if baseline.layout.features
    }
    predictions = {name for model in config.models.values() for name in model.outputs or ()}
    others = [load_baseline(folder, tuple(predictions)) for folder in request.baselines]
    others += [counting_pairs_of(baseline, ()) for baseline in others]
    state = earlier_state(Path(config.state.path), config.job)

    return KnownBaselines(of_models, others, partial(read_baseline, state))


@contextmanager
def _judging_bar(total: int) -> Iterator[Advance]:
    with judging_bar(TextColumn("judging windows"), BarColumn(), MofNCompleteColumn()) as bar:
        task = bar.add_task("", total=total)
        yield partial(bar.advance, task)


def _show(config: Config, request: BacktestRequest, result: Result) -> None:
    for note in result.notes:
        complain(note, "note")
    if request.json:
        click.echo(as_json(result))
    else:
        console = Console()
        print_backtest(result, console if console.is_terminal else Console(width=WIDTH))
    if request.html is not None:
        heading = BacktestHeading(
            reports=str(request.reports),
            rules=_in_words(config.rules),
            incidents=str(request.incidents or ""),
            version=version("driftline"),
        )
        write_page(request.html, heading, result)
        complain(f"wrote {request.html}")


def _in_words(rules: Rules) -> str:
    """The mode of rules, and their settings that ``--tune`` would change.

    >>> _in_words(Rules(mode="evidence"))
    'mode evidence, false_alarms 1 per 30d, effect 0.02'
    >>> _in_words(Rules(mode="threshold"))
    'mode threshold'
    """
    if rules.by_evidence:
        return f"mode {rules.mode}, false_alarms {rules.false_alarms}, effect {rules.effect:g}"
    limit = "" if rules.limit is None else f", limit {rules.limit:g}"
    return f"mode {rules.mode}{limit}"
