"""Descriptions of monitoring schedules in the shapes of the API, which the tests verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]
ARN = "arn:aws:sagemaker:eu-west-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/monitor"
RESOURCES: Json = {
    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}
}
ENDPOINT: Json = {
    "EndpointName": "churn",
    "LocalPath": "/opt/ml/processing/input/endpoint",
    "S3InputMode": "File",
    "S3DataDistributionType": "FullyReplicated",
}


def outputs(uri: str = "s3://company-reports/monitor", **more: object) -> Json:
    output = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {"MonitoringOutputs": [{"S3Output": output}], **more}


def schedule(config: Json, name: str = "churn-hourly", **more: object) -> Json:
    """What ``describe-monitoring-schedule`` prints."""
    return {
        "MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{name}",
        "MonitoringScheduleName": name,
        "MonitoringScheduleStatus": "Stopped",
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
        "LastModifiedTime": "2024-05-02T10:11:12.123000+00:00",
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
            **config,
        },
        **more,
    }


def inline(**more: object) -> Json:
    """A schedule whose definition is inline, as the SDK made them first."""
    definition = {
        "BaselineConfig": {
            "ConstraintsResource": {"S3Uri": "s3://company-models/churn/results/constraints.json"},
            "StatisticsResource": {"S3Uri": "s3://company-models/churn/results/statistics.json"},
        },
        "MonitoringInputs": [{"EndpointInput": ENDPOINT}],
        "MonitoringOutputConfig": outputs(KmsKeyId="alias/monitor"),
        "MonitoringResources": RESOURCES,
        "MonitoringAppSpecification": {
            "ImageUri": "123.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-analyzer",
            "RecordPreprocessorSourceUri": "s3://company-models/churn/preprocessor.py",
            "PostAnalyticsProcessorSourceUri": "s3://company-models/churn/postprocessor.py",
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "Environment": {"publish_cloudwatch_metrics": "Enabled", "TOKEN": "s3cr3t"},
        "RoleArn": ROLE,
    }
    return schedule({"MonitoringJobDefinition": {**definition, **more}})


def named(name: str, definition: str, kind: str) -> Json:
    """A schedule that names its definition."""
    config = {"MonitoringJobDefinitionName": definition, "MonitoringType": kind}
    return schedule(config, name, MonitoringType=kind)


def data_quality(**inputs: object) -> Json:
    """What ``describe-data-quality-job-definition`` prints."""
    return {
        "JobDefinitionArn": f"{ARN}:data-quality-job-definition/churn-data",
        "JobDefinitionName": "churn-data",
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": "s3://company-models/churn/results/constraints.json"}
        },
        "DataQualityAppSpecification": {"ImageUri": "analyzer", "Environment": {}},
        "DataQualityJobInput": inputs or {"EndpointInput": ENDPOINT},
        "DataQualityJobOutputConfig": outputs(),
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
    }


def model_quality(**inputs: object) -> Json:
    """What ``describe-model-quality-job-definition`` prints."""
    endpoint = {
        **ENDPOINT,
        "InferenceAttribute": "label",
        "ProbabilityAttribute": "0",
        "ProbabilityThresholdAttribute": 0.4,
        "StartTimeOffset": "-P8D",
        "EndTimeOffset": "-P1D",
        **inputs,
    }
    return {
        "JobDefinitionArn": f"{ARN}:model-quality-job-definition/churn-model",
        "JobDefinitionName": "churn-model",
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
        "ModelQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": "s3://company-models/quality/constraints.json"}
        },
        "ModelQualityAppSpecification": {
            "ImageUri": "analyzer",
            "ProblemType": "BinaryClassification",
            "Environment": {"publish_cloudwatch_metrics": "Enabled"},
        },
        "ModelQualityJobInput": {
            "EndpointInput": endpoint,
            "GroundTruthS3Input": {"S3Uri": "s3://company-truth/churn/"},
        },
        "ModelQualityJobOutputConfig": outputs("s3://company-reports/quality"),
        "JobResources": RESOURCES,
        "RoleArn": ROLE,
    }


def endpoint_config(**capture: object) -> Json:
    """What ``describe-endpoint-config`` prints."""
    return {
        "EndpointConfigName": "churn-3",
        "EndpointConfigArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/churn-3",
        "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "churn-3"}],
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://company-captures/datacapture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            **capture,
        },
        "CreationTime": "2024-05-02T10:11:12.123000+00:00",
    }


def file_of(folder: Path, *documents: Json) -> Path:
    """A file with these documents, one after the other."""
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text("\n".join(json.dumps(document, indent=4) for document in documents))
    return path
