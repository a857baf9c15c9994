"""The command ``driftline baseline``: its options, and which of two baselines it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from detectors.quality.config import Problem
from stream.commands.options import FILE_OR_FOLDER, FOLDER, progress_bar
from stream.commands.usage import wrong_usage


@click.command(short_help="Make a baseline from training data, or of a model's quality.")
@click.argument("train", type=FILE_OR_FOLDER)
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
@click.option("--no-header", is_flag=True, help="The CSV has no header row.")
@click.option("--force", is_flag=True, help="Replace a constraints.json that was edited.")
@click.option(
    "--quality",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Make a baseline of the model's quality: TRAIN holds answers with their true labels.",
)
@click.option("--label", metavar="NAME", help="With --quality: the column of the true answers.")
@click.option(
    "--prediction", metavar="NAME", help="With --quality: the column of the model's answers."
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
def baseline(
    train: Path,
    out: Path | None,
    predictions: tuple[str, ...],
    exclude: tuple[str, ...],
    text: tuple[str, ...],
    number: tuple[str, ...],
    missing: tuple[str, ...],
    columns: tuple[str, ...],
    no_header: bool,
    force: bool,
    quality: Problem | None,
    **answers: Any,
) -> None:
    """Make a baseline from training data: CSV, Parquet or JSON lines; a file or a folder.

    Prints what it understood of each column (fits: the share of the values that are of its type),
    and warns of columns that are probably not what they look like.

    Writes statistics.json and constraints.json in the format of SageMaker Model Monitor, and
    baseline.msgpack with the exact counts. Edit constraints.json to change the requirements on a
    feature.

    CSV and JSON lines may be compressed by gzip (.csv.gz). NAMES and LIST are separated by commas,
    and each option may be repeated. An entry that holds a comma is given in double quotes:
    --exclude '"a,b",c d'.

    With --quality it makes the baseline of a model's quality instead, from rows with the model's
    answer and the true one, such as a validation set. It writes statistics.json and
    constraints.json in the format of SageMaker's model quality, and quality.msgpack. A column of a
    CSV without a header is also named by its position, from 0.

    \b
    Examples:
      driftline baseline train.csv --out baseline/ --predictions prediction
      driftline baseline test.csv --quality binary --label churn --probability p
      driftline baseline test.csv --quality regression --label y --prediction p
    """
    common = {
        "exclude": _names("--exclude", exclude),
        "missing": _names("--missing", missing) if missing else None,
        "columns": _names("--columns", columns),
        "header": not no_header,
        "force": force,
    }
    of_data = {"--predictions": predictions, "--text": text, "--number": number}
    if quality is None:
        _refuse({f"--{name}": value for name, value in answers.items()}, "with --quality")
        _make_of_data(train, out, of_data, common)
    else:
        _refuse(of_data, "without --quality")
        _make_of_quality(train, out, quality, answers | common)


def _make_of_data(
    train: Path, out: Path | None, names: dict[str, tuple[str, ...]], common: dict[str, Any]
) -> None:
    from stream.commands.baseline import BaselineOptions, make_baseline, print_made

    if out is None:
        context = click.get_current_context(silent=True)
        raise click.MissingParameter(ctx=context, param_hint="'--out'", param_type="option")
    predictions, text, numbers = (_names(option, given) for option, given in names.items())
    options = BaselineOptions(
        out=out, predictions=predictions, text=text, numbers=numbers, **common
    )
    with progress_bar() as bar:
        made = make_baseline(train, options, bar)
    print_made(made, Console(), Console(stderr=True))


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
        near = "; --prediction names the answers of the model"
        more = near if given == "--predictions" else ""
        raise wrong_usage(f"{given} can be given only {when}{more}.")


def _names(option: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    from stream.commands.name_lists import parse_names

    try:
        return parse_names(texts)
    except ValueError as error:
        context = click.get_current_context(silent=True)
        raise click.BadParameter(str(error), ctx=context, param_hint=f"'{option}'") from error
