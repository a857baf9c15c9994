"""Configurations that ``driftline import`` writes, and what it says where it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from detectors.components import find
from sinks.base import Sink
from stream.cli import main
from stream.config.load import load
from tests.unit.stream.migration import schedules
from tests.unit.stream.migration.schedules import Json, file_of

needs_sink = pytest.mark.skipif(
    "s3" not in find("sinks", Sink, "driftline.sinks"), reason="no sink s3"
)
CAPTURES = ("--captures", "s3://company-captures/datacapture/")


def imported(out: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, arguments), "--out", str(out)])


def read(out: Path) -> Any:
    return yaml.safe_load(out.read_text())


def test_a_schedule_with_its_definition_inside_becomes_a_configuration(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    done = imported(out, file_of(tmp_path, schedules.inline()), *CAPTURES)
    assert (done.exit_code, done.stderr) == (0, "")
    assert read(out) == {
        "job": "churn-hourly",
        "source": {
            "type": "s3",
            "bucket": "company-captures",
            "prefix": "datacapture/churn/",
            "follow": True,
            "start": "latest",
            "region": "eu-west-1",
        },
        "format": {
            "type": "sagemaker",
            "skip": ["ShadowExperiment"],
            "preprocess": "preprocess.py",
        },
        "model": {"from": "const", "name": "churn"},
        "models": {"churn": {"baseline": "baseline/"}},
        "window": "5m",
        "rules": {"mode": "sagemaker-compat"},
        "sinks": [
            {"type": "prometheus"},
            {"type": "jsonl", "path": "verdicts/", "schedule": "1h", "keep": "30d"},
            {
                "type": "s3",
                "bucket": "company-reports",
                "prefix": "monitor/",
                "layout": "sagemaker",
                "endpoint": "churn",
                "schedule_name": "churn-hourly",
                "schedule": "1h",
                "kms_key_id": "alias/monitor",
                "region": "eu-west-1",
            },
            {
                "type": "cloudwatch",
                "layout": "sagemaker",
                "endpoint": "churn",
                "schedule_name": "churn-hourly",
                "schedule": "1h",
                "region": "eu-west-1",
            },
        ],
    }
    assert [line for line in done.stdout.splitlines() if line and not line.startswith("#")] == [
        f"wrote {out}. Next, in the folder of it:",
        "aws s3 cp s3://company-models/churn/preprocessor.py preprocess.py",
        "driftline baseline s3://company-models/churn/results/ --out baseline/ --prediction NAME",
        "driftline check config.yaml",
        "driftline run config.yaml",
    ]


def test_what_has_no_counterpart_is_a_comment_with_the_reason(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    imported(out, file_of(tmp_path, schedules.inline(Surprise={"Key": "a\nb"})), *CAPTURES)
    lines = out.read_text().splitlines()
    at = lines.index("# * no instance is started for a run:")
    assert lines[at + 1] == "#     MonitoringResources.ClusterConfig.InstanceCount: 1"
    assert "# * a script after a run has no place: add a sink:" in lines
    at = lines.index("# * driftline does not know it:")
    assert lines[at + 1] == "#     Surprise.Key: a b"
    assert "#     Environment.TOKEN: (not shown: it may be a secret)" in lines
    assert "s3cr3t" not in out.read_text()


DEFINED = [schedules.named("churn-hourly", "churn-data", "DataQuality"), schedules.data_quality()]
WAYS: dict[str, list[Any]] = {
    "two files": [[DEFINED[0]], [DEFINED[1]]],
    "one after the other": [DEFINED],
    "a list": [[DEFINED]],
    "under names": [[{"schedule": DEFINED[0], "definition": DEFINED[1]}]],
    "one object": [[{**DEFINED[0], **DEFINED[1]}]],
    "the other order": [[DEFINED[1]], [DEFINED[0]]],
}


@pytest.mark.parametrize("way", WAYS)
def test_schedule_and_definition_are_found_however_they_are_given(tmp_path: Path, way: str) -> None:
    files = [file_of(tmp_path, *documents) for documents in WAYS[way]]
    out = tmp_path / "config.yaml"
    assert imported(out, *files, *CAPTURES).exit_code == 0
    found = read(out)
    assert found["job"] == "churn-hourly"
    assert [sink["type"] for sink in found["sinks"]] == ["prometheus", "jsonl", "s3"]
    assert "publish_cloudwatch_metrics is not Enabled" in out.read_text()


def test_the_definition_may_be_an_option_and_the_schedule_come_from_stdin(tmp_path: Path) -> None:
    definition = file_of(tmp_path, DEFINED[1])
    out = tmp_path / "config.yaml"
    arguments = ["import", "-", "--definition", str(definition), "--out", str(out), *CAPTURES]
    done = CliRunner().invoke(main, arguments, input=json.dumps(DEFINED[0]))
    assert done.exit_code == 0, done.output
    assert read(out)["models"] == {"churn": {"baseline": "baseline/"}}


def test_model_quality_beside_data_quality_gives_labels_and_quality(tmp_path: Path) -> None:
    model = schedules.named("churn-quality", "churn-model", "ModelQuality")
    files = [file_of(tmp_path, *DEFINED), file_of(tmp_path, model, schedules.model_quality())]
    out = tmp_path / "config.yaml"
    done = imported(out, *files, *CAPTURES)
    assert done.exit_code == 0, done.output
    found = read(out)
    assert found["models"]["churn"]["quality"] == {
        "problem": "binary",
        "prediction": "label",
        "probability": "FILL IN",
        "baseline": "quality/",
        "judge_at": {"after": "1d"},
    }
    assert found["labels"] == {
        "source": {
            "type": "s3",
            "bucket": "company-truth",
            "prefix": "churn/",
            "follow": True,
            "region": "eu-west-1",
        },
        "format": {"type": "ground_truth"},
        "horizon": "8d",
    }
    assert found["sinks"][-1] == {
        "type": "cloudwatch_quality",
        "endpoint": "churn",
        "schedule_name": "churn-quality",
        "schedule": "1h",
        "after": "1d",
        "region": "eu-west-1",
    }
    assert "quality.probability is 'FILL IN': the name of the column at position 0" in done.stderr
    assert "aws s3 cp s3://company-models/quality/constraints.json quality/" in done.stdout


def test_the_folder_of_the_captures_is_that_of_the_endpoint_configuration(tmp_path: Path) -> None:
    config = schedules.endpoint_config(
        InitialSamplingPercentage=20, CaptureOptions=[{"CaptureMode": "Input"}], KmsKeyId="key"
    )
    out = tmp_path / "config.yaml"
    schedule = file_of(tmp_path, schedules.inline())
    done = imported(out, schedule, "--endpoint-config", file_of(tmp_path, config))
    assert read(out)["source"]["prefix"] == "datacapture/churn/"
    assert "warning: 20 % of the requests are captured" in done.stderr
    assert "warning: responses are not captured" in done.stderr
    assert "kms:Decrypt" in done.stderr


@needs_sink
def test_an_unknown_folder_of_captures_is_a_placeholder_that_check_refuses(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    done = imported(out, file_of(tmp_path, schedules.inline()))
    assert done.exit_code == 0
    assert "warning: source.bucket is 'FILL IN'" in done.stderr
    assert "--captures s3://... or --endpoint-config" in done.stderr
    checked = CliRunner().invoke(main, ["check", str(out)])
    assert checked.exit_code == 2
    assert "source.bucket: 'FILL IN' is not the name of a bucket" in checked.stderr


def test_a_running_schedule_is_to_be_stopped_first(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    running = {**schedules.inline(), "MonitoringScheduleStatus": "Scheduled"}
    done = imported(out, file_of(tmp_path, running), *CAPTURES)
    assert "warning: the schedule is running" in done.stderr
    assert "aws sagemaker stop-monitoring-schedule --monitoring-schedule-name churn-hourly" in (
        done.stdout
    )


def test_excluded_features_are_not_judged(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    for stated, expected in (
        ("a, b", {"a": {"enabled": False}, "b": {"enabled": False}}),
        ("3", None),
    ):
        inputs = [{"EndpointInput": {**schedules.ENDPOINT, "ExcludeFeaturesAttribute": stated}}]
        file = file_of(tmp_path, schedules.inline(MonitoringInputs=inputs))
        done = imported(out, file, *CAPTURES, "--force")
        assert read(out)["models"]["churn"].get("features") == expected
        assert ("name the features at the positions 3" in done.stderr) == (expected is None)


def test_the_manifests_of_batch_transform_jobs_are_read(tmp_path: Path) -> None:
    batch = {
        "DataCapturedDestinationS3Uri": "s3://company-captures/batch/",
        "DatasetFormat": {"Csv": {"Header": True}},
        "LocalPath": "/opt/ml/processing/input",
    }
    document = schedules.data_quality(BatchTransformInput=batch)
    published = {"publish_cloudwatch_metrics": "Enabled"}
    document["DataQualityAppSpecification"]["Environment"] = published
    out = tmp_path / "config.yaml"
    done = imported(out, file_of(tmp_path, DEFINED[0], document))
    assert read(out)["source"] == {
        "type": "s3",
        "bucket": "company-captures",
        "prefix": "batch/",
        "manifests": "input",
        "header": True,
        "follow": True,
        "start": "latest",
        "region": "eu-west-1",
    }
    assert (read(out)["grace"], read(out)["lateness"]) == ("2h", "24h")
    assert list(read(out)["models"]) == ["churn-hourly"]
    [cloudwatch] = [sink for sink in read(out)["sinks"] if sink["type"] == "cloudwatch"]
    assert cloudwatch["namespace"] == "aws/sagemaker/ModelMonitoring/data-metrics"
    assert "endpoint" not in cloudwatch
    assert "only the input of batch transform jobs is read" in done.stderr


@pytest.mark.parametrize(
    ("uri", "stated", "side", "warned"),
    [
        ("s3://company-captures/batch/output", {"Json": {"Line": True}}, "output", "the output"),
        ("s3://company-captures/batch", {"Parquet": {}}, "input", "Parquet of batch"),
    ],
)
def test_the_side_of_batch_transform_jobs_and_their_format(
    tmp_path: Path, uri: str, stated: Json, side: str, warned: str
) -> None:
    batch = {"DataCapturedDestinationS3Uri": uri, "DatasetFormat": stated}
    documents = [DEFINED[0], schedules.data_quality(BatchTransformInput=batch)]
    out = tmp_path / "config.yaml"
    done = imported(out, file_of(tmp_path, *documents))
    source = read(out)["source"]
    assert (source["prefix"], source["manifests"], "header" in source) == ("batch/", side, False)
    assert warned in done.stderr


WRONG: dict[str, tuple[str, str]] = {
    "empty": (" \n", "is empty: write into it what this prints: aws sagemaker describe-"),
    "a table": ("---- DescribeMonitoringSchedule", "is not JSON (line 1: "),
    "cut": ('{\n"MonitoringScheduleName":\n', "is not JSON (line 3: "),
    "a list of schedules": ('{"MonitoringScheduleSummaries": []}', "is a list of schedules"),
    "constraints": ('{"features": []}', "is a file of statistics or constraints"),
    "a capture": (json.dumps({"captureData": {}}), "is a capture"),
    "bias": (json.dumps({"ModelBiasJobInput": {}}), "is a definition of bias monitoring"),
    "something else": ('{"a": 1}', "holds an object with a, and nothing that a schedule has"),
    "a number": ("5", "holds no object"),
    "deep": ("[" * 100_000, "is nested too deeply"),
    "only a definition": (json.dumps(schedules.data_quality()), "no schedule is described"),
    "the definition is missing": (
        json.dumps(DEFINED[0]),
        "aws sagemaker describe-data-quality-job-definition --job-definition-name churn-data",
    ),
    "another definition": (
        json.dumps([schedules.named("s", "other", "DataQuality"), schedules.data_quality()]),
        "names its definition 'other', which is not given (given: 'churn-data')",
    ),
    "an inline schedule with a definition": (
        json.dumps([schedules.inline(), schedules.data_quality()]),
        "the definition 'churn-data' is that of no schedule given",
    ),
    "bias schedule": (
        json.dumps(schedules.named("s", "d", "ModelBias")),
        "monitors bias, which driftline does not have",
    ),
    "no input": (
        json.dumps(schedules.inline(MonitoringInputs=[])),
        "has neither an EndpointInput nor a BatchTransformInput",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_no_schedule_is_refused_with_what_to_do(tmp_path: Path, case: str) -> None:
    text, message = WRONG[case]
    (tmp_path / "a.json").write_text(text)
    done = imported(tmp_path / "config.yaml", tmp_path / "a.json")
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "config.yaml").exists()


def test_a_configuration_that_exists_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    out.write_text("mine")
    file = file_of(tmp_path, schedules.inline())
    refused = imported(out, file, *CAPTURES)
    assert (refused.exit_code, out.read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    assert imported(out, file, *CAPTURES, "--force").exit_code == 0
    assert imported(out, file, "--captures", "b/c", "--force").exit_code == 2


def test_schedules_of_two_endpoints_or_of_one_kind_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "config.yaml"
    twice = imported(out, file_of(tmp_path, schedules.inline(), *DEFINED))
    assert "Several schedules of one kind" in twice.stderr
    model = schedules.named("churn-quality", "churn-model", "ModelQuality")
    other = file_of(tmp_path, model, schedules.model_quality(EndpointName="prices"), *DEFINED)
    assert "two endpoints, churn and prices" in imported(out, other).stderr


@needs_sink
def test_a_completed_configuration_passes_the_check(tmp_path: Path) -> None:
    model = schedules.named("churn-quality", "churn-model", "ModelQuality")
    files = [file_of(tmp_path, schedules.inline(), model, schedules.model_quality())]
    out = tmp_path / "config.yaml"
    imported(out, *files, *CAPTURES)
    (tmp_path / "preprocess.py").write_text("def preprocess_handler(record):\n    return []\n")
    completed = out.read_text().replace(
        "baseline: baseline/", "baseline: learn\n    outputs: [label, score]\n    inputs: [age]"
    )
    completed = completed.replace("      baseline: quality/\n", "")
    out.write_text(completed)
    checked = CliRunner().invoke(main, ["check", str(out)])
    assert checked.exit_code == 2
    assert "quality.probability" in checked.stderr
    completed = completed.replace("FILL IN", "score")
    out.write_text(completed)
    config = load(out)
    assert [type(sink).__name__ for sink in config.sinks] == [
        "Prometheus",
        "Jsonl",
        "S3",
        "Cloudwatch",
        "CloudwatchQuality",
    ]
    assert config.labels is not None


def _shape_faults(model: Any, name: str, value: object, path: str = "") -> list[str]:
    """The keys of a document that its shape in the service model does not have."""
    shape = model.shape_for(name)
    if shape.type_name == "structure" and isinstance(value, dict):
        faults = [f"{path}.{key}" for key in value if key not in shape.members]
        for key, item in value.items():
            if key in shape.members:
                faults += _shape_faults(model, shape.members[key].name, item, f"{path}.{key}")
        missing = [f"{path}.{key} is missing" for key in shape.required_members if key not in value]
        return faults + missing
    if shape.type_name == "list" and isinstance(value, list):
        return [
            fault for item in value for fault in _shape_faults(model, shape.member.name, item, path)
        ]
    return []


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        ("DescribeMonitoringSchedule", schedules.inline()),
        ("DescribeMonitoringSchedule", DEFINED[0]),
        ("DescribeDataQualityJobDefinition", schedules.data_quality()),
        ("DescribeModelQualityJobDefinition", schedules.model_quality()),
        ("DescribeEndpointConfig", schedules.endpoint_config()),
    ],
)
def test_the_documents_of_these_tests_have_the_shapes_of_the_api(
    operation: str, document: Json
) -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model("sagemaker")
    output = model.operation_model(operation).output_shape
    assert output is not None
    assert _shape_faults(model, output.name, document) == []


def test_a_threshold_decides_where_there_is_only_a_probability(tmp_path: Path) -> None:
    definition = schedules.model_quality(InferenceAttribute="")
    model = schedules.named("churn-quality", "churn-model", "ModelQuality")
    out = tmp_path / "config.yaml"
    done = imported(out, file_of(tmp_path, model, definition), *CAPTURES)
    assert read(out)["models"]["churn"]["quality"]["threshold"] == 0.4
    assert "prediction" not in read(out)["models"]["churn"]["quality"]
    assert "no baseline of the data is named" in done.stderr
    assert read(out)["sinks"][2] == {
        "type": "s3",
        "bucket": "company-reports",
        "prefix": "quality/",
        "region": "eu-west-1",
    }
