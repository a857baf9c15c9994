"""What a monitoring schedule says, in one shape for all forms in which AWS describes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from stream.errors import DataError
from stream.migration.documents import DESCRIBE, Document, Json

Quality = Literal["DataQuality", "ModelQuality"]
_DEFINITIONS: Final[dict[str, str]] = {
    "DataQuality": "describe-data-quality-job-definition",
    "ModelQuality": "describe-model-quality-job-definition",
}
_CLARIFY: Final = {"ModelBias": "bias", "ModelExplainability": "attributions"}
_URI: Final = re.compile(r"s3://([^/]+)/?(.*)", re.DOTALL)


class S3Place(NamedTuple):
    """A folder or object in S3."""

    bucket: str
    key: str

    @property
    def folder(self) -> str:
        """The key as a folder."""
        return self.key.rstrip("/") + "/" if self.key.strip("/") else ""

    @property
    def uri(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def parent(self) -> S3Place:
        """The folder of an object."""
        return S3Place(self.bucket, self.key.rpartition("/")[0] + "/" if "/" in self.key else "")


def place_of(uri: object) -> S3Place | None:
    """Return the place of an address; ``None`` if it is none in S3.

    >>> place_of("s3://b/reports"), place_of("https://b")
    (S3Place(bucket='b', key='reports'), None)
    """
    match = _URI.fullmatch(uri) if isinstance(uri, str) else None
    return S3Place(*match.groups()) if match else None


class MonitoringSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule with its definition.

    ``definition`` is the document that has the inputs, outputs and the script. It is that of the
    schedule itself where the definition is inline.
    """

    quality: Quality
    name: str
    region: str
    status: str
    expression: str
    files: tuple[str, ...]
    input: Json
    batch: bool
    baseline: Json
    app: Json
    environment: dict[str, str]
    outputs: list[S3Place]
    kms_key_id: str
    ground_truth: S3Place | None
    problem: str
    schedule: Json
    definition: Json

    @property
    def endpoint(self) -> str:
        """The name of the endpoint; empty for a batch transform."""
        return str(self.input.get("EndpointName", ""))


def monitorings(documents: Sequence[Document]) -> list[MonitoringSchedule]:
    """Return each schedule in the documents with its definition.

    Raises :class:`~stream.errors.DataError` if a definition is missing, is not that of a schedule,
    or is one that driftline cannot follow.
    """
    schedules = [document for document in documents if document.kind == "schedule"]
    definitions = [document for document in documents if document.kind.endswith("quality")]
    if not schedules:
        files = ", ".join(dict.fromkeys(document.file for document in documents))
        raise DataError(files, f"no schedule is described: add what this prints: {DESCRIBE}")
    found = [_monitoring(schedule, definitions) for schedule in schedules]
    used = [monitoring.definition for monitoring in found]
    for document in definitions:
        if not any(document.content is definition for definition in used):
            name = document.content.get("JobDefinitionName")
            raise DataError(document.file, f"the definition {name!r} is that of no schedule given")
    return found


def _monitoring(document: Document, definitions: Sequence[Document]) -> MonitoringSchedule:
    schedule, file = document.content, document.file
    config = _object(schedule, "MonitoringScheduleConfig", file)
    kind = str(config.get("MonitoringType") or schedule.get("MonitoringType") or "DataQuality")
    if kind in _CLARIFY:
        reason = f"the schedule monitors {_CLARIFY[kind]}, which driftline does not have"
        raise DataError(file, reason)
    inline = config.get("MonitoringJobDefinition")
    if isinstance(inline, dict):
        return _of_inline(document, config, inline)
    name = config.get("MonitoringJobDefinitionName")
    fitting = [
        found
        for found in definitions
        if name is None or found.content.get("JobDefinitionName") in (name, None)
    ]
    if not fitting:
        raise DataError(file, _missing_definition(kind, name, definitions))
    return _of_definition(document, config, fitting[0])


def _missing_definition(kind: str, name: object, definitions: Sequence[Document]) -> str:
    describe = _DEFINITIONS.get(kind, _DEFINITIONS["DataQuality"])
    command = f"aws sagemaker {describe} --job-definition-name {name} > definition.json"
    given = ", ".join(repr(found.content.get("JobDefinitionName")) for found in definitions)
    instead = f" (given: {given})" if given else ""
    return (
        f"the schedule names its definition {name!r}, which is not given{instead}: write it with"
        f" `{command}` and add --definition definition.json"
    )


def _of_inline(document: Document, config: Json, inline: Json) -> MonitoringSchedule:
    inputs = inline.get("MonitoringInputs")
    first = inputs[0] if isinstance(inputs, list) and inputs else {}
    return _built(
        document,
        config,
        quality="DataQuality",
        files=(document.file,),
        input=first,
        baseline=inline.get("BaselineConfig"),
        app=inline.get("MonitoringAppSpecification"),
        environment=inline.get("Environment"),
        outputs=inline.get("MonitoringOutputConfig"),
        definition=inline,
    )


def _of_definition(document: Document, config: Json, found: Document) -> MonitoringSchedule:
    definition = found.content
    quality: Quality = "DataQuality" if found.kind == "data quality" else "ModelQuality"
    app = _dict(definition.get(f"{quality}AppSpecification"))
    return _built(
        document,
        config,
        quality=quality,
        files=tuple(dict.fromkeys((document.file, found.file))),
        input=definition.get(f"{quality}JobInput"),
        baseline=definition.get(f"{quality}BaselineConfig"),
        app=app,
        environment=app.get("Environment"),
        outputs=definition.get(f"{quality}JobOutputConfig"),
        definition=definition,
    )


def _built(document: Document, config: Json, **parts: Any) -> MonitoringSchedule:
    schedule = document.content
    inputs, outputs = _dict(parts.pop("input")), _dict(parts.pop("outputs"))
    endpoint, batch = inputs.get("EndpointInput"), inputs.get("BatchTransformInput")
    if not isinstance(endpoint, dict) and not isinstance(batch, dict):
        reason = "the definition has neither an EndpointInput nor a BatchTransformInput"
        raise DataError(", ".join(parts["files"]), reason)
    arn = str(schedule.get("MonitoringScheduleArn", "")).split(":")
    app = _dict(parts.pop("app"))
    environment = _dict(parts.pop("environment"))
    return MonitoringSchedule(
        name=str(schedule.get("MonitoringScheduleName") or "imported"),
        region=arn[3] if len(arn) > 3 else "",
        status=str(schedule.get("MonitoringScheduleStatus", "")),
        expression=str(_dict(config.get("ScheduleConfig")).get("ScheduleExpression", "")),
        input=endpoint if isinstance(endpoint, dict) else _dict(batch),
        batch=not isinstance(endpoint, dict),
        baseline=_dict(parts.pop("baseline")),
        app=app,
        environment={str(key): str(value) for key, value in environment.items()},
        outputs=_places(outputs),
        kms_key_id=str(outputs.get("KmsKeyId") or ""),
        ground_truth=place_of(_dict(inputs.get("GroundTruthS3Input")).get("S3Uri")),
        problem=str(app.get("ProblemType") or ""),
        schedule=schedule,
        **parts,
    )


def _places(outputs: Json) -> list[S3Place]:
    entries = outputs.get("MonitoringOutputs")
    found = [
        place_of(_dict(_dict(entry).get("S3Output")).get("S3Uri"))
        for entry in (entries if isinstance(entries, list) else [])
    ]
    return [place for place in found if place is not None]


def _object(document: Json, key: str, file: str) -> Json:
    value = document.get(key)
    if not isinstance(value, dict):
        raise DataError(file, f"{key} is no object")
    return value


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}
