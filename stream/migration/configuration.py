"""Writes the configuration of a schedule, with a comment wherever something is to be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import yaml

from stream.migration.captures import Captures, TransformCaptures, transform_of
from stream.migration.leftovers import leftovers
from stream.migration.monitoring import MonitoringSchedule, S3Place, place_of
from stream.migration.times import offset_ms, period_of

FILL_IN: Final = "FILL IN"
"""The value of a key that the schedule does not state."""
SCRIPT: Final = "preprocess.py"
FOLLOWS: Final = {
    False: "one listing a minute; `notices` find objects in seconds",
    True: "one listing a minute",
}
"""The comment on ``follow``, by whether the captures are those of batch transform jobs."""
BASELINE: Final = "baseline/"
QUALITY: Final = "quality/"
VERDICTS: Final = "verdicts/"
BATCH_METRICS: Final = "aws/sagemaker/ModelMonitoring"
"""The first part of the namespaces of batch transform jobs in CloudWatch."""
_PROBLEMS: Final = {
    "BinaryClassification": "binary",
    "MulticlassClassification": "multiclass",
    "Regression": "regression",
}


class Written(NamedTuple):
    """A configuration, what is to be done before it is used, and what to be warned of."""

    text: str
    commands: list[tuple[str, str]]
    warnings: list[str]


class Writer:
    """Collects the lines of a configuration."""

    def __init__(self, data: MonitoringSchedule | None, model: MonitoringSchedule | None) -> None:
        main = data or model
        if main is None:
            raise ValueError("there is no schedule")
        self.main, self.data, self.model = main, data, model
        self.name = main.endpoint or main.name
        self.lines: list[str] = []
        self.commands: list[tuple[str, str]] = []
        self.warnings: list[str] = []

    def line(self, text: str = "", comment: str = "") -> None:
        """Add a line with a comment after it."""
        self.lines.append(f"{text}  # {comment}".rstrip() if comment else text)

    def comment(self, text: str, indent: str = "") -> None:
        """Add a comment on a line of its own."""
        self.lines.append(f"{indent}# {text}".rstrip())

    def warn(self, text: str) -> None:
        """Add a warning, which is also a comment."""
        self.warnings.append(text)

    def fill_in(self, path: str, what: str) -> str:
        """Return a placeholder, and warn of it."""
        self.warnings.append(f"{path} is {FILL_IN!r}: {what}")
        return FILL_IN

    def do(self, purpose: str, command: str) -> None:
        """Add a command that the user has to run."""
        if (purpose, command) not in self.commands:
            self.commands.append((purpose, command))


def flow(value: Any) -> str:
    """Return a value in YAML, on one line.

    >>> flow({"type": "s3", "bucket": "1", "follow": True})
    "{type: s3, bucket: '1', follow: true}"
    """
    dumped = yaml.safe_dump(
        value, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True
    )
    return str(dumped).removesuffix("\n").removesuffix("\n...")


def written(
    data: MonitoringSchedule | None, model: MonitoringSchedule | None, captures: Captures
) -> Written:
    """Return the configuration of a schedule on data quality, one on model quality, or both."""
    page = Writer(data, model)
    _head(page)
    _source(page, captures)
    _format(page)
    _models(page)
    _labels(page)
    _rules(page)
    _sinks(page)
    _rest(page)
    return Written("\n".join(page.lines) + "\n", page.commands, page.warnings)


def _head(page: Writer) -> None:
    for of in (page.data, page.model):
        if of is not None:
            kind = "data quality" if of.quality == "DataQuality" else "model quality"
            page.comment(f"The schedule {of.name!r} of SageMaker Model Monitor ({kind}).")
    page.comment(f"Complete each {FILL_IN!r}; `driftline check` names those that are left.")
    page.line()
    page.line(f"job: {flow(page.main.name)}")


def _source(page: Writer, captures: Captures) -> None:
    place = captures.place
    if place is None:
        what = "the folder of the captures; --captures s3://... or --endpoint-config names it"
        bucket, prefix = page.fill_in("source.bucket", what), FILL_IN
    else:
        bucket, prefix = place.bucket, place.folder
    page.line("source:")
    page.line("  type: s3")
    page.line(f"  bucket: {flow(bucket)}")
    transform = transform_of(page.data, page.model, prefix) if page.main.batch else None
    page.line(f"  prefix: {flow(transform.folder if transform else prefix)}")
    if transform:
        _transform(page, transform)
    page.line("  follow: true", FOLLOWS[page.main.batch])
    page.line("  start: latest", "past hours have reports already, which would be replaced")
    if page.main.region:
        page.line(f"  region: {page.main.region}")
    for note in captures.notes:
        page.comment(note[0].upper() + note[1:] + ".", "  ")
        page.warn(note)


def _transform(page: Writer, transform: TransformCaptures) -> None:
    page.line(f"  manifests: {transform.side}", "the objects that a batch transform job names")
    if transform.header:
        page.line("  header: true", "DatasetFormat")
    for note in transform.notes:
        page.comment(note[0].upper() + note[1:] + ".", "  ")
        page.warn(note)


def _format(page: Writer) -> None:
    page.line("format:")
    page.line("  type: sagemaker")
    page.line("  skip: [ShadowExperiment]", "invocations that are not counted")
    stated = {of.app.get("RecordPreprocessorSourceUri") for of in (page.data, page.model) if of}
    scripts = sorted(str(uri) for uri in stated if uri)
    if not scripts:
        return
    page.do("The preprocessing script, unchanged", f"aws s3 cp {scripts[0]} {SCRIPT}")
    page.line(f"  preprocess: {SCRIPT}", f"aws s3 cp {scripts[0]} {SCRIPT}")
    for other in scripts[1:]:
        page.warn(f"one script is run on all captures; this one is left out: {other}")


def _models(page: Writer) -> None:
    page.line(f"model: {{from: const, name: {flow(page.name)}}}")
    page.comment("All variants are counted together, as by Model Monitor. To tell them apart:")
    pattern = flow({"from": "file", "name": r"([^/]+)/\d{4}/"})
    page.comment(f"variant: {pattern}")
    page.line("models:")
    page.line(f"  {flow(page.name)}:")
    _baseline(page)
    _excluded(page)
    if page.model is not None:
        _quality(page, page.model)


def _baseline(page: Writer) -> None:
    stated = page.data.baseline if page.data else {}
    constraints = _place(stated, "ConstraintsResource")
    statistics = _place(stated, "StatisticsResource")
    folder = (statistics or constraints or S3Place("", "")).parent
    page.line(f"    baseline: {BASELINE}")
    if statistics is None and constraints is None:
        what = "no baseline of the data is named"
        page.warn(
            f"{what}: write {BASELINE} with `driftline baseline`, or set `baseline: learn` with"
            " `outputs` and `inputs`"
        )
        page.comment(f"The schedule names none: {what}. Or `baseline: learn`.", "    ")
        page.do(
            "The baseline, of the training data",
            f"driftline baseline train.csv --out {BASELINE} --predictions NAME",
        )
        return
    if statistics and constraints and statistics.parent != constraints.parent:
        for place, name in ((statistics, "statistics.json"), (constraints, "constraints.json")):
            page.do(
                "Both files of the baseline in one folder", f"aws s3 cp {place.uri} results/{name}"
            )
        source = "results/"
    else:
        source = folder.uri
    page.do(
        "The baseline; --prediction names the column of the model's response",
        f"driftline baseline {source} --out {BASELINE} --prediction NAME",
    )


def _place(baseline: Mapping[str, Any], key: str) -> S3Place | None:
    resource = baseline.get(key)
    return place_of(resource.get("S3Uri")) if isinstance(resource, dict) else None


def _excluded(page: Writer) -> None:
    """Write the features that are not judged, by name; positions are told."""
    stated = str((page.data.input if page.data else {}).get("ExcludeFeaturesAttribute") or "")
    names = [name.strip() for name in stated.split(",") if name.strip()]
    if not names:
        return
    if all(name.isdigit() for name in names):
        page.comment(
            f"Features at these positions are excluded, from 0: {', '.join(names)}.", "    "
        )
        page.comment("features: {NAME: {enabled: false}}", "    ")
        page.warn(f"name the features at the positions {', '.join(names)} under `features`")
        return
    rules = flow({name: {"enabled": False} for name in names})
    page.line(f"    features: {rules}", "ExcludeFeaturesAttribute")


def _quality(page: Writer, of: MonitoringSchedule) -> None:
    page.line("    quality:")
    problem = _PROBLEMS.get(of.problem)
    if problem is None:
        problem = page.fill_in("quality.problem", "binary, multiclass or regression")
    page.line(f"      problem: {problem}")
    attributes = (("prediction", "InferenceAttribute"), ("probability", "ProbabilityAttribute"))
    for key, attribute in attributes:
        stated = str(of.input.get(attribute, ""))
        if stated.isdigit():
            what = f"the name of the column at position {stated} of the response, from 0"
            column = page.fill_in(f"quality.{key}", what)
            page.line(f"      {key}: {column}", f"{attribute} {stated}: {what}")
        elif stated:
            page.line(f"      {key}: {flow(stated)}", attribute)
    threshold = of.input.get("ProbabilityThresholdAttribute")
    by_score = problem == "binary" and not of.input.get("InferenceAttribute")
    if isinstance(threshold, int | float) and by_score:
        page.line(f"      threshold: {threshold}")
    constraints = _place(of.baseline, "ConstraintsResource")
    if constraints is not None:
        page.line(f"      baseline: {QUALITY}")
        for name in ("statistics.json", "constraints.json"):
            command = f"aws s3 cp {constraints.parent.uri}{name} {QUALITY}{name}"
            page.do("The baseline of the quality", command)
    after = offset_ms(str(of.input.get("EndTimeOffset", "")))
    if after:
        page.line(f"      judge_at: {{after: {_duration(after)}}}", "EndTimeOffset")


def _labels(page: Writer) -> None:
    of = page.model
    if of is None:
        return
    page.line("labels:")
    truth = of.ground_truth
    bucket = truth.bucket if truth else page.fill_in("labels.source.bucket", "of ground truth")
    prefix = truth.folder if truth else FILL_IN
    source: dict[str, Any] = {"type": "s3", "bucket": bucket, "prefix": prefix}
    source |= {"follow": True} | ({"region": of.region} if of.region else {})
    page.line(f"  source: {flow(source)}")
    page.line("  format: {type: ground_truth}")
    stated = str(of.input.get("StartTimeOffset", ""))
    horizon = offset_ms(stated)
    if horizon:
        page.line(f"  horizon: {_duration(horizon)}", f"StartTimeOffset {stated}")


def _duration(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms // 1000}s"


def _rules(page: Writer) -> None:
    page.line("window: 5m")
    if page.main.batch:
        page.line("grace: 2h", "the longest run of most jobs: an event has the time of its start")
        page.line("lateness: 24h", "later results change its report")
    page.comment("The checks of Model Monitor with its own distance. Without it, driftline's own:")
    page.comment("real counts, and no limit below the noise (docs/sagemaker-compatibility.md).")
    page.line("rules: {mode: sagemaker-compat}")
    of = page.data
    method = of.environment.get("categorical_drift_method") if of else None
    if method:
        page.warn(f"set `categorical_drift_method: {method}` in {BASELINE}constraints.json")


def _sinks(page: Writer) -> None:
    page.line("sinks:")
    page.line("  - {type: prometheus}")
    local = {"type": "jsonl", "path": VERDICTS, "schedule": period_of(page.main.expression).length}
    page.line(f"  - {flow(local | {'keep': '30d'})}", "for driftline windows, reports and explain")
    running = [of.name for of in (page.data, page.model) if of and of.status == "Scheduled"]
    for name in running:
        stop = f"aws sagemaker stop-monitoring-schedule --monitoring-schedule-name {name}"
        page.do("Before the service runs: two writers would mix reports and double metrics", stop)
    if running:
        page.warn(
            "the schedule is running: its reports and metrics have the same names as those below;"
            " stop it first, or give the sinks another `schedule_name` as long as both run;"
            " `driftline replay` writes neither"
        )
        page.comment(
            "Stop the schedule first, or change schedule_name: it writes to the same places.",
            "  ",
        )
    for of in (page.data, page.model):
        if of is not None:
            _sinks_of(page, of)


def _sinks_of(page: Writer, of: MonitoringSchedule) -> None:
    of_data = of.quality == "DataQuality"
    period = period_of(of.expression)
    if period.note:
        page.warn(period.note)
        page.comment(f"{of.name}: {period.note}.", "  ")
    names = {"endpoint": of.endpoint} if of.endpoint else {}
    names |= {"schedule_name": of.name, "schedule": period.length}
    region = {"region": of.region} if of.region else {}
    place = of.outputs[0] if of.outputs else None
    if place is None:
        bucket, prefix = page.fill_in("sinks: the bucket of reports", "no output is named"), ""
    else:
        bucket, prefix = place.bucket, place.folder
    key = {"kms_key_id": of.kms_key_id} if of.kms_key_id else {}
    sink: dict[str, Any] = {"type": "s3", "bucket": bucket, "prefix": prefix}
    if of_data:
        page.line(f"  - {flow(sink | {'layout': 'sagemaker'} | names | key | region)}")
    elif page.data is None:
        page.line(f"  - {flow(sink | key | region)}", "quality is written as lines")
    elif place:
        page.warn(f"reports of quality go to the bucket of the data, not to {place.uri}")
    published = of.environment.get("publish_cloudwatch_metrics", "").lower() == "enabled"
    if not published:
        page.comment("No CloudWatch: publish_cloudwatch_metrics is not Enabled.", "  ")
    elif of_data:
        space = {"namespace": f"{BATCH_METRICS}/data-metrics"} if of.batch else {}
        sink = {"type": "cloudwatch", "layout": "sagemaker"}
        page.line(f"  - {flow(sink | space | names | region)}")
    else:
        after = offset_ms(str(of.input.get("EndTimeOffset", "")))
        delay = {"after": _duration(after)} if after else {}
        space = {"namespace": f"{BATCH_METRICS}/model-metrics"} if of.batch else {}
        page.line(f"  - {flow({'type': 'cloudwatch_quality'} | space | names | delay | region)}")


def _rest(page: Writer) -> None:
    for of in (page.data, page.model):
        found = leftovers(of) if of else []
        if of is None or not found:
            continue
        page.line()
        page.comment(f"What {of.name!r} says besides, and why it has no counterpart:")
        for reason in dict.fromkeys(leftover.reason for leftover in found):
            page.comment(f"* {reason}:")
            for leftover in found:
                if leftover.reason == reason:
                    page.comment(f"    {_one_line(f'{leftover.path}: {leftover.value}')}")


def _one_line(text: str) -> str:
    """Return a text that cannot end a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
