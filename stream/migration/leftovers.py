"""What a schedule says that has no counterpart in a configuration, each with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from stream.migration.documents import Json
from stream.migration.monitoring import MonitoringSchedule

LONGEST_VALUE: Final = 60
HIDDEN: Final = "(not shown: it may be a secret)"
_STATE: Final = r"(CreationTime|LastModifiedTime|\w*Arn|MonitoringScheduleStatus|FailureReason)$"
_DONE: Final = (
    r"(MonitoringScheduleName|EndpointName|JobDefinitionName|MonitoringJobDefinitionName"
    r"|MonitoringType|ScheduleExpression|RecordPreprocessorSourceUri|KmsKeyId|ProblemType"
    r"|DataCapturedDestinationS3Uri|publish_cloudwatch_metrics|categorical_drift_method"
    r"|ExcludeFeaturesAttribute)$"
    r"|(ConstraintsResource|StatisticsResource|GroundTruthS3Input)\.S3Uri$"
    r"|DatasetFormat|MonitoringOutputs\[0\]\.S3Output\.S3Uri$"
)
_OF_QUALITY: Final = (
    r"(InferenceAttribute|ProbabilityAttribute|ProbabilityThresholdAttribute"
    r"|StartTimeOffset|EndTimeOffset)$"
)
_REASONS: Final = (
    (r"DataAnalysis(Start|End)Time$", "to judge past captures, run `driftline replay`"),
    (r"(StartTimeOffset|EndTimeOffset)$", "windows are of event time, not of the time of a run"),
    (r"FeaturesAttribute$", "only bias and attribution jobs read it"),
    (
        r"(Inference|Probability|ProbabilityThreshold)Attribute$",
        "only model quality reads it; the threshold only where there is no InferenceAttribute",
    ),
    (r"(LocalPath|S3InputMode|S3DataDistributionType|S3UploadMode)$", "there is no container"),
    (r"BaseliningJobName$", "the files of the baseline are named instead"),
    (r"ImageUri$", "the analysis is driftline's own"),
    (
        r"Container(Entrypoint|Arguments)(\[\d+\])?$",
        "the checks of a container of your own are not run",
    ),
    (r"PostAnalyticsProcessorSourceUri$", "a script after a run has no place: add a sink"),
    (r"Environment\.", "a variable of the container"),
    (r"MonitoringOutputs\[\d+\]", "one output is written"),
    (r"(MonitoringResources|JobResources)\.", "no instance is started for a run"),
    (r"StoppingCondition\.", "a service has no longest run time"),
    (r"NetworkConfig\.", "the network is that of the process"),
    (r"RoleArn$", "the permissions are those of the process (deploy/iam-policy.json has them)"),
)


class Leftover(NamedTuple):
    """A setting that has no counterpart: its path, its value, and the reason."""

    path: str
    value: str
    reason: str


def leftovers(monitoring: MonitoringSchedule) -> list[Leftover]:
    """Return the settings of a schedule and of its definition that have no counterpart."""
    documents = [monitoring.schedule]
    if monitoring.definition is not _inline(monitoring.schedule):
        documents.append(monitoring.definition)
    leaves = [leaf for document in documents for leaf in _leaves(document)]
    found = [_leftover(path, value, monitoring) for path, value in leaves]
    return [leftover for leftover in dict.fromkeys(found) if leftover is not None]


def _inline(schedule: Json) -> Any:
    config = schedule.get("MonitoringScheduleConfig")
    return config.get("MonitoringJobDefinition") if isinstance(config, dict) else None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if path.startswith(("LastMonitoringExecutionSummary", "ResponseMetadata")):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{path}[{position}]")
    elif value is not None:
        yield path, value


def _has_counterpart(path: str, monitoring: MonitoringSchedule) -> bool:
    if re.search(rf"(^|\.)({_DONE})", path):
        return True
    if monitoring.quality != "ModelQuality" or not re.search(_OF_QUALITY, path):
        return False
    return not (path.endswith("ThresholdAttribute") and monitoring.input.get("InferenceAttribute"))


def _leftover(path: str, value: Any, monitoring: MonitoringSchedule) -> Leftover | None:
    if _has_counterpart(path, monitoring):
        return None
    reasons = [reason for pattern, reason in _REASONS if re.search(pattern, path)]
    if not reasons and re.search(_STATE, path):
        return None
    text = HIDDEN if "Environment." in path else str(value)
    shown = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
    return Leftover(_short(path), shown, (reasons or ["driftline does not know it"])[0])


def _short(path: str) -> str:
    for prefix in ("MonitoringScheduleConfig.", "MonitoringJobDefinition."):
        path = path.removeprefix(prefix)
    return path
