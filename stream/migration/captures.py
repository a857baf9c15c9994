"""Where data capture puts its objects, and what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream.migration.documents import Document, Json
from stream.migration.monitoring import MonitoringSchedule, S3Place, place_of


class TransformCaptures(NamedTuple):
    """What a source reads of batch transform jobs: its folder, the side, and what to know."""

    folder: str
    side: str
    header: bool
    notes: list[str]


class Captures(NamedTuple):
    """The folder of an endpoint's captures, ``None`` if it is unknown, and what to know of them."""

    place: S3Place | None
    notes: list[str]


def captures_of(
    monitoring: MonitoringSchedule, documents: Sequence[Document], given: S3Place | None
) -> Captures:
    """Return the folder of the captures: the one given, else that of a description of the endpoint.

    The schedule of an endpoint does not say it; that of a batch transform does.
    """
    configs = [
        document.content["DataCaptureConfig"] for document in documents if _captures(document)
    ]
    config = configs[0] if configs else {}
    notes = _notes(config) if configs else []
    if given is not None:
        return Captures(_of_endpoint(given, monitoring.endpoint), notes)
    if monitoring.batch:
        return Captures(place_of(monitoring.input.get("DataCapturedDestinationS3Uri")), notes)
    place = place_of(config.get("DestinationS3Uri"))
    return Captures(place and _of_endpoint(place, monitoring.endpoint), notes)


def transform_of(
    data: MonitoringSchedule | None, model: MonitoringSchedule | None, folder: str
) -> TransformCaptures:
    """Return what is read below the destination of a job's data capture.

    Model quality needs the output; the quality of data is that of the input, unless the schedule
    names the folder of one side itself.
    """
    side = "input" if model is None else "output"
    named = folder.rstrip("/").rpartition("/")[2]
    if named in ("input", "output"):
        side, folder = named, folder.removesuffix(f"{named}/")
    main = data or model
    formats = _lower(main.input.get("DatasetFormat") if main else None)
    header = _lower(formats.get("csv")).get("header") is True
    other = "output" if side == "input" else "input"
    notes = [f"only the {side} of batch transform jobs is read: for the {other}, run a second job"]
    if "parquet" in formats:
        notes.append("Parquet of batch transform is not read: only CSV and JSON lines are")
    return TransformCaptures(folder, side, side == "input" and header, notes)


def _lower(value: object) -> Json:
    """Return an object with its keys in lower case; both spellings are found."""
    stated = value if isinstance(value, dict) else {}
    return {str(key).lower(): item for key, item in stated.items()}


def _captures(document: Document) -> bool:
    return document.kind == "capture" and isinstance(
        document.content.get("DataCaptureConfig"), dict
    )


def _of_endpoint(place: S3Place, endpoint: str) -> S3Place:
    """Return the folder of one endpoint, which may have been given already."""
    names = place.folder.strip("/").split("/")
    if not endpoint or endpoint in names:
        return S3Place(place.bucket, place.folder)
    return S3Place(place.bucket, f"{place.folder}{endpoint}/")


def _notes(config: Json) -> list[str]:
    """Return what a reader of the counts should know of the data capture."""
    notes = []
    if config.get("EnableCapture") is False or config.get("CaptureStatus") == "Stopped":
        notes.append("data capture is switched off: nothing new will be read")
    share = config.get("InitialSamplingPercentage", config.get("CurrentSamplingPercentage"))
    if isinstance(share, int) and share < 100:
        notes.append(f"{share} % of the requests are captured: counts are those of the sample")
    options = config.get("CaptureOptions")
    listed = options if isinstance(options, list) else []
    modes = {str(option.get("CaptureMode")) for option in listed if isinstance(option, dict)}
    for mode, name in (("Input", "requests"), ("Output", "responses")):
        if modes and modes.isdisjoint({mode, "InputAndOutput"}):
            notes.append(f"{name} are not captured: their columns are missing")
    if config.get("KmsKeyId"):
        notes.append("the captures are encrypted with a key: the process needs kms:Decrypt on it")
    return notes
