"""The command ``driftline baseline``: its options, and which of two baselines it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from detectors.profiles.segmentation import MOST_SEGMENTS
from detectors.quality.config import Problem
from stream.commands.options import FOLDER, progress_bar
from stream.commands.season_options import OF_SEASONS, season_options
from stream.commands.usage import wrong_usage


class _Training(click.Path):
    """A file or a folder that exists, or a folder in S3."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text of an address in S3, else an existing path."""
        if isinstance(value, str) and value.startswith("s3://"):
            return value
        return super().convert(value, param, ctx)


TRAINING: Final = _Training(exists=True, path_type=Path)


@click.command(short_help="Make a baseline from training data, or of a model's quality.")
@click.argument("train", type=TRAINING)
@click.option(
    "--out",
    type=FOLDER,
    help="Folder to write to. Required; with --quality the default is quality/.",
)
@click.option(
    "--predictions", multiple=True, metavar="NAMES", help="Columns that hold the model's response."
)
@click.option("--exclude", multiple=True, metavar="NAMES", help="Columns to leave out.")
@click.option(
    "--text", multiple=True, metavar="NAMES", help="Columns of text, such as codes of digits."
)
@click.option(
    "--number", multiple=True, metavar="NAMES", help="Columns of numbers, whatever else they hold."
)
@click.option(
    "--missing",
    multiple=True,
    metavar="LIST",
    help=(
        "Texts that stand for a missing value, in place of the usual ones (NA, NULL, #N/A and"
        " others); '' for none but empty text."
    ),
)
@click.option(
    "--columns", multiple=True, metavar="NAMES", help="Names of the columns of a CSV, in order."
)
@click.option(
    "--joint",
    multiple=True,
    metavar="NAMES",
    help=(
        "Columns that are counted in pairs, so that a change of how they depend on each other is"
        " found; 'all' for the first 20 whose values vary."
    ),
)
@click.option(
    "--segment",
    multiple=True,
    metavar="NAMES",
    help="Columns whose frequent values have a baseline of their own, see `segments` of a model.",
)
@click.option(
    "--most-segments",
    type=click.IntRange(1, MOST_SEGMENTS),
    help="With --segment: the most values of each column that have one; 50 unless it is given.",
)
@click.option("--no-header", is_flag=True, help="The CSV has no header row.")
@click.option("--force", is_flag=True, help="Replace a constraints.json that was edited.")
@click.option(
    "--quality",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Make a baseline of the model's quality: TRAIN holds answers with their true labels.",
)
@click.option("--label", metavar="NAME", help="With --quality: the column of the true answers.")
@click.option(
    "--prediction",
    metavar="NAME",
    help=(
        "With --quality: the column of the model's answers. Of Model Monitor's files: the column of"
        " the model's response."
    ),
)
@click.option(
    "--probability",
    metavar="NAME",
    help=(
        "With --quality: the column of the score, from 0 to 1: of the positive class (binary) or of"
        " the predicted one (multiclass)."
    ),
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help=(
        "With --quality binary: without --prediction, a score above this is the positive class;"
        " 0.5 unless it is given."
    ),
)
@click.option(
    "--positive",
    metavar="CLASS",
    help="With --quality binary: the positive class; 1, true or yes unless it is given.",
)
@season_options
@click.option("--region", default="", help="Of s3://: the bucket's region.")
@click.option(
    "--endpoint-url", default="", metavar="URL", help="Of s3://: the service, if it is not AWS."
)
def baseline(
    train: Path | str,
    out: Path | None,
    predictions: tuple[str, ...],
    exclude: tuple[str, ...],
    text: tuple[str, ...],
    number: tuple[str, ...],
    missing: tuple[str, ...],
    columns: tuple[str, ...],
    joint: tuple[str, ...],
    segment: tuple[str, ...],
    most_segments: int | None,
    no_header: bool,
    force: bool,
    quality: Problem | None,
    region: str,
    endpoint_url: str,
    from_reports: Path | None,
    **others: Any,
) -> None:
    """Make a baseline from training data: CSV, Parquet or JSON lines; a file or a folder.

    TRAIN may also be the output of a baseline job of SageMaker Model Monitor, a folder with
    statistics.json and constraints.json, here or in S3. Then no training data are needed: bins and
    counts come from the sketches in statistics.json. Both files are copied unchanged, and
    --prediction names the model's response.

    Prints what it understood of each column (fits: the share of the values that are of its type),
    and warns of columns that are probably not what they look like.

    Writes statistics.json and constraints.json in the format of SageMaker Model Monitor, and
    baseline.msgpack with the exact counts. Edit constraints.json to change the requirements on a
    feature.

    CSV and JSON lines may be compressed by gzip (.csv.gz). NAMES and LIST are separated by commas,
    and each option may be repeated. An entry that holds a comma is given in double quotes:
    --exclude '"a,b",c d'.

    With --season the baseline keeps the counts of each season too, such as of each hour of the day,
    and a window is compared with those of its own; --time names the column of the time of a row,
    which is then no feature. With --from-reports the seasons are those of past windows, and TRAIN
    is the folder of the baseline that gets them, see docs/seasons.md.

    With --quality it makes the baseline of a model's quality instead, from rows with the model's
    answer and the true one, such as a validation set. It writes statistics.json and
    constraints.json in the format of SageMaker's model quality, and quality.msgpack. A column of a
    CSV without a header is also named by its position, from 0.

    \b
    Examples:
      driftline baseline train.csv --out baseline/ --predictions prediction
      driftline baseline train.csv --out baseline/ --segment country
      driftline baseline s3://b/baselining/results/ --out baseline/ --prediction y
      driftline baseline train.csv --out b/ --season hour_of_day --time date
      driftline baseline baseline/ --season hour_of_day --from-reports reports/
      driftline baseline test.csv --quality binary --label churn --probability p
      driftline baseline test.csv --quality regression --label y --prediction p
    """
    season = {name: others[name] for name in OF_SEASONS}
    answers = {name: value for name, value in others.items() if name not in OF_SEASONS}
    service = {"region": region, "endpoint_url": endpoint_url}
    names = {
        "exclude": _names("--exclude", exclude),
        "missing": _names("--missing", missing) if missing else None,
        "columns": _names("--columns", columns),
    }
    of_data = {
        "--predictions": predictions,
        "--text": text,
        "--number": number,
        "--joint": joint,
        "--segment": segment,
    }
    if not segment:
        _refuse({"--most-segments": most_segments}, "with --segment")
    if from_reports is not None:
        data = {**of_data, **{f"--{name}": value for name, value in (answers | names).items()}}
        _refuse({**data, "--quality": quality}, "without --from-reports")
        _make_of_reports(Path(train), from_reports, season, out)
        return
    of_season = {f"--{name.replace('_', '-')}": value for name, value in season.items()}
    if isinstance(train, str) or (quality is None and is_monitor_folder(train)):
        responses = (*predictions, *_responses(answers))
        data = {f"--{name}": value for name, value in (answers | names).items()}
        data |= {"--quality": quality, "--no-header": no_header or None, "--prediction": None}
        _refuse({**of_data, **data, **of_season, "--predictions": None}, "with training data")
        _make_of_monitor(str(train), out, responses, {"force": force, **service})
        return
    given_service = {f"--{name.replace('_', '-')}": text or None for name, text in service.items()}
    _refuse(given_service, "with s3://")
    common = {**names, "header": not no_header, "force": force}
    if quality is None:
        _refuse({f"--{name}": value for name, value in answers.items()}, "with --quality")
        given = {**common, "season": season, "most_segments": most_segments or 50}
        _make_of_data(train, out, of_data, given)
    else:
        _refuse({**of_data, **of_season}, "without --quality")
        _make_of_quality(train, out, quality, answers | common)


def is_monitor_folder(train: Path) -> bool:
    """Return whether TRAIN is a folder that SageMaker Model Monitor wrote."""
    return train.is_dir() and (train / "statistics.json").exists()


def _responses(answers: dict[str, Any]) -> tuple[str, ...]:
    return (answers["prediction"],) if answers["prediction"] else ()


def _make_of_monitor(
    train: str, out: Path | None, responses: tuple[str, ...], given: dict[str, Any]
) -> None:
    from stream.commands.monitor_baseline import MonitorOptions, print_written, write_monitored

    predictions = _names("--prediction", responses)
    options = MonitorOptions(out=_required(out), predictions=predictions, **given)
    with progress_bar() as bar:
        made = write_monitored(train, options, bar)
    print_written(made, Console(), Console(stderr=True))


def _required(out: Path | None) -> Path:
    if out is None:
        context = click.get_current_context(silent=True)
        raise click.MissingParameter(ctx=context, param_hint="'--out'", param_type="option")
    return out


def _make_of_data(
    train: Path, out: Path | None, names: dict[str, tuple[str, ...]], given: dict[str, Any]
) -> None:
    from stream.commands.baseline import BaselineOptions, make_baseline, print_made
    from stream.commands.season_choice import read_season

    out = _required(out)
    predictions, text, numbers, joint, segments = (_names(*each) for each in names.items())
    given["season"] = read_season(given["season"], from_reports=False)
    options = BaselineOptions(
        out=out,
        predictions=predictions,
        text=text,
        numbers=numbers,
        joint=(() if joint == ("all",) else joint) if names["--joint"] else None,
        segments=segments,
        **given,
    )
    with progress_bar() as bar:
        made = make_baseline(train, options, bar)
    print_made(made, Console(), Console(stderr=True))


def _make_of_reports(folder: Path, reports: Path, season: dict[str, Any], out: Path | None) -> None:
    from stream.commands.season_choice import read_season
    from stream.commands.seasonal_baseline import make_seasons_of_reports, print_found

    options = read_season(season, from_reports=True)
    with progress_bar() as bar:
        found = make_seasons_of_reports(folder, reports, options, out, bar)
    print_found(found, Console(), Console(stderr=True))


def _make_of_quality(
    train: Path, out: Path | None, problem: Problem, given: dict[str, Any]
) -> None:
    from stream.commands.quality_baseline import (
        QualityOptions,
        make_quality_baseline,
        print_quality,
    )

    options = QualityOptions(problem=problem, out=out or Path("quality"), **given)
    with progress_bar() as bar:
        made = make_quality_baseline(train, options, bar)
    print_quality(made, Console(), Console(stderr=True))


def _refuse(options: dict[str, Any], when: str) -> None:
    """Raise a usage error for the first option that is given although it has no meaning here."""
    given = next((name for name, value in options.items() if value not in (None, ())), "")
    if given:
        near = {
            "--predictions": "; --prediction names the answers of the model",
            "--prediction": "; of training data, --predictions names the answers of the model",
        }
        raise wrong_usage(f"{given} can be given only {when}{near.get(given, '')}.")


def _names(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    from stream.commands.name_lists import parse_names

    try:
        return parse_names(texts)
    except ValueError as error:
        context = click.get_current_context(silent=True)
        raise click.BadParameter(str(error), ctx=context, param_hint=f"'{option}'") from error
