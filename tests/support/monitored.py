"""What SageMaker Model Monitor leaves of an endpoint: captures, baseline, reports, descriptions.

Everything is generated in the shapes of the service (statistics with a sketch of a single level,
violations in its sentences). The distances in its reports are computed here, by the formula that
its published numbers follow: of distinct values, corrected for their number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any, Final

import numpy as np

BUCKET: Final = "my-bucket"
ENDPOINT: Final = "churn"
SCHEDULE: Final = "churn-hourly"
REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
IMAGE: Final = "sagemaker-model-monitor-analyzer"
ARN: Final = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
NUMBERS: Final = ("churned", "day_mins", "calls")
COLUMNS: Final = (*NUMBERS, "plan")
PLANS: Final = ("basic", "family", "premium")
BASELINE_ROWS: Final = 1_500
PER_HOUR: Final = 400
HOURS: Final = 6
DRIFTED_FROM: Final = 4
"""The first hour whose ``day_mins`` is shifted."""
THRESHOLD: Final = 0.1

Json = dict[str, Any]
Rows = Mapping[str, Sequence[Any]]


def rows(count: int, seed: int, shift: float = 0.0, calls: float = 3.0) -> Rows:
    """Rows of the endpoint, the answer first. ``shift`` moves ``day_mins``; ``calls`` is a mean."""
    rng = np.random.default_rng(seed)
    return {
        "churned": [round(x, 4) for x in rng.beta(2, 5, count).tolist()],
        "day_mins": [round(x, 1) for x in rng.normal(180 + shift, 50, count).tolist()],
        "calls": rng.poisson(calls, count).tolist(),
        "plan": [PLANS[k] for k in rng.choice(3, count, p=(0.6, 0.3, 0.1)).tolist()],
    }


def statistics(of: Rows) -> Json:
    """``statistics.json`` of at most 2,048 rows: the sketch has the values in their order."""
    features = [_numeric(name, of[name]) for name in NUMBERS] + [_text("plan", of["plan"])]
    return {"version": 0.0, "dataset": {"item_count": len(of["plan"])}, "features": features}


def _numeric(name: str, values: Sequence[float]) -> Json:
    low, high = float(min(values)), float(max(values))
    edges = [low + (high - low) * k / 10 for k in range(10)] + [high]
    counts, _ = np.histogram(values, bins=edges)
    buckets = [
        {"lower_bound": edges[k], "upper_bound": edges[k + 1], "count": float(counts[k])}
        for k in range(10)
    ]
    sketch = {"parameters": {"c": 0.64, "k": 2048.0}, "data": [[float(x) for x in values]]}
    numbers = {
        "common": {"num_present": len(values), "num_missing": 0},
        "mean": float(np.mean(values)),
        "sum": float(np.sum(values)),
        "std_dev": float(np.std(values)),
        "min": low,
        "max": high,
        "distribution": {"kll": {"buckets": buckets, "sketch": sketch}},
    }
    return {"name": name, "inferred_type": _type(name), "numerical_statistics": numbers}


def _type(name: str) -> str:
    return {"calls": "Integral", "plan": "String"}.get(name, "Fractional")


def _text(name: str, values: Sequence[str]) -> Json:
    buckets = [{"value": plan, "count": values.count(plan)} for plan in PLANS]
    texts = {
        "common": {"num_present": len(values), "num_missing": 0},
        "distinct_count": 3.0,
        "distribution": {"categorical": {"buckets": buckets}},
    }
    return {"name": name, "inferred_type": "String", "string_statistics": texts}


def constraints() -> Json:
    """``constraints.json`` as the service suggests it."""
    features: list[Json] = [
        {
            "name": name,
            "inferred_type": _type(name),
            "completeness": 1.0,
            "num_constraints": {"is_non_negative": name != "day_mins"},
        }
        for name in NUMBERS
    ]
    plan = {"name": "plan", "inferred_type": "String", "completeness": 1.0}
    features.append({**plan, "string_constraints": {"domains": list(PLANS)}})
    comparison = {
        "perform_comparison": "Enabled",
        "comparison_threshold": THRESHOLD,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": THRESHOLD,
        "categorical_drift_method": "LInfinity",
    }
    config = {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": comparison,
    }
    return {"version": 0.0, "features": features, "monitoring_config": config}


def distance(name: str, now: Rows, baseline: Rows) -> float:
    """The distance that Model Monitor reports of a number: of distinct values, ``Robust``."""
    ours, theirs = (np.unique(np.asarray(of[name], dtype=float)) for of in (now, baseline))
    points = np.concatenate([ours, theirs])
    shares = [np.searchsorted(of, points, side="right") / len(of) for of in (ours, theirs)]
    largest = float(np.max(np.abs(shares[0] - shares[1])))
    return max(0.0, largest - 1.8 * sqrt(1 / len(ours) + 1 / len(theirs)))


def violations(now: Rows, baseline: Rows) -> Json:
    """``constraint_violations.json`` of an hour."""
    distances = {name: distance(name, now, baseline) for name in NUMBERS}
    return {
        "violations": [
            {
                "feature_name": name,
                "constraint_check_type": "baseline_drift_check",
                "description": f"Baseline drift distance: {found} exceeds threshold: {THRESHOLD}",
            }
            for name, found in distances.items()
            if found > THRESHOLD
        ]
    }


def capture_lines(of: Rows, hour: datetime) -> list[str]:
    """Capture lines of an hour, evenly spread."""
    count = len(of["plan"])
    lines = []
    for k in range(count):
        at = hour + timedelta(seconds=3_600 * k / count)
        request = ",".join(str(of[name][k]) for name in COLUMNS[1:])
        sides = {
            "endpointInput": ("INPUT", request),
            "endpointOutput": ("OUTPUT", of["churned"][k]),
        }
        data = {
            side: {
                "observedContentType": "text/csv",
                "mode": mode,
                "data": f"{text}",
                "encoding": "CSV",
            }
            for side, (mode, text) in sides.items()
        }
        metadata = {"eventId": f"{at:%d%H}-{k:05}", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
        lines.append(
            json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
        )
    return lines


class MonitoredEndpoint:
    """Six hours of an endpoint up to ``now``. Files by their keys.

    In the last two ``day_mins`` has drifted. In the last one the mix of ``calls`` has changed, too,
    which Model Monitor does not see, as the values are the same.
    """

    def __init__(self, now: datetime) -> None:
        end = now.replace(minute=0, second=0, microsecond=0)
        self.hours = [end - timedelta(hours=HOURS - k) for k in range(HOURS)]
        self.baseline = rows(BASELINE_ROWS, 1)
        self.traffic = [
            rows(
                PER_HOUR,
                10 + k,
                shift=70.0 if k >= DRIFTED_FROM else 0.0,
                calls=4.5 if k == HOURS - 1 else 3.0,
            )
            for k in range(HOURS)
        ]

    def baseline_files(self) -> dict[str, str]:
        """The output of the baseline job."""
        folder = "baselining/results/"
        return {
            f"{folder}statistics.json": json.dumps(statistics(self.baseline), indent=2),
            f"{folder}constraints.json": json.dumps(constraints(), indent=2),
        }

    def captures(self) -> dict[str, str]:
        """The objects of data capture, four an hour."""
        files = {}
        for hour, traffic in zip(self.hours, self.traffic, strict=True):
            lines = capture_lines(traffic, hour)
            size = len(lines) // 4
            for part in range(4):
                folder = f"datacapture/{ENDPOINT}/AllTraffic/{hour:%Y/%m/%d/%H}/"
                text = "\n".join(lines[part * size : (part + 1) * size]) + "\n"
                files[f"{folder}{15 * part + 14:02}-59-000-0b7b{part}.jsonl"] = text
        return files

    def reports(self) -> dict[str, str]:
        """The reports of the schedule, each in the folder of the hour in which its run starts."""
        files = {}
        for hour, traffic in zip(self.hours, self.traffic, strict=True):
            folder = f"reports/{ENDPOINT}/{SCHEDULE}/{hour + timedelta(hours=1):%Y/%m/%d/%H}/"
            found = violations(traffic, self.baseline)
            files[f"{folder}statistics.json"] = json.dumps(statistics(traffic))
            files[f"{folder}constraints.json"] = json.dumps(constraints())
            files[f"{folder}constraint_violations.json"] = json.dumps(found)
        return files


def schedule() -> Json:
    """What ``aws sagemaker describe-monitoring-schedule`` prints."""
    return {
        "MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{SCHEDULE}",
        "MonitoringScheduleName": SCHEDULE,
        "MonitoringScheduleStatus": "Scheduled",
        "MonitoringType": "DataQuality",
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
        "LastModifiedTime": "2024-05-02T10:11:12.123000+00:00",
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            "MonitoringJobDefinitionName": "churn-data",
            "MonitoringType": "DataQuality",
        },
        "EndpointName": ENDPOINT,
    }


def definition() -> Json:
    """What ``aws sagemaker describe-data-quality-job-definition`` prints."""
    results = f"s3://{BUCKET}/baselining/results/"
    upload = {"LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "JobDefinitionArn": f"{ARN}:data-quality-job-definition/churn-data",
        "JobDefinitionName": "churn-data",
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": f"{results}constraints.json"},
            "StatisticsResource": {"S3Uri": f"{results}statistics.json"},
        },
        "DataQualityAppSpecification": {
            "ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{IMAGE}",
            "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        },
        "DataQualityJobInput": {
            "EndpointInput": {
                "EndpointName": ENDPOINT,
                "LocalPath": "/opt/ml/processing/input/endpoint",
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "DataQualityJobOutputConfig": {
            "MonitoringOutputs": [{"S3Output": {"S3Uri": f"s3://{BUCKET}/reports", **upload}}]
        },
        "JobResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 20,
            }
        },
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/monitor",
    }


def endpoint_config() -> Json:
    """What ``aws sagemaker describe-endpoint-config`` prints."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{BUCKET}/datacapture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    variant = {"VariantName": "AllTraffic", "ModelName": "churn-3"}
    return {
        "EndpointConfigName": "churn-3",
        "EndpointConfigArn": f"{ARN}:endpoint-config/churn-3",
        "ProductionVariants": [variant],
        "DataCaptureConfig": capture,
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
    }


def newest_hours() -> MonitoredEndpoint:
    """The last hours that have been over for long enough to be reported."""
    return MonitoredEndpoint(datetime.now(UTC) - timedelta(minutes=20))
