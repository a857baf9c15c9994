"""Live check of the state of a job in S3: bucket, object, owner and last commit."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stream.check.findings import Finding, counted
from stream.check.stored_state import read_stored_file
from stream.config.model import S3Config
from stream.state.s3.content import unpack
from stream.state.s3.object import ObservedObject, S3RequestFailed, StateObject
from stream.state.s3.request_errors import permanent_reason
from stream.state.stored import StoredState

UNCHECKED: Final = "s3:PutObject cannot be checked without using it"


def examine_object(config: S3Config, job: str) -> tuple[StoredState | None, list[Finding]]:
    """Read the object, and return its state and findings about it; nothing is put.

    Raises as :func:`stream.check.stored_state.read_stored_file` does.
    """
    state_object = StateObject(config, job)
    subject = state_object.uri
    try:
        observed = _observed(state_object)
        content = state_object.fetch(observed.etag if observed else None)
    except S3RequestFailed as error:
        return None, [_absent(subject, error.code)]
    if observed is None:
        message = "is being put by another service at this moment: check again"
        return None, [Finding(subject, message, "warning")]
    return _read(unpack(content, subject)), [_owner(subject, observed, job)]


def _observed(state_object: StateObject) -> ObservedObject | None:
    """The object with its metadata; ``None`` if S3 refuses to return them.

    A refusal has no error code here: fetching shows whether permissions, credentials or the bucket
    are missing.
    """
    try:
        return state_object.head()
    except S3RequestFailed as error:
        if error.code != "403":
            raise
        return None


def _read(content: bytes) -> StoredState | None:
    with TemporaryDirectory(prefix="driftline-") as folder:
        path = Path(folder) / "state.sqlite"
        path.write_bytes(content)
        return read_stored_file(path)


def _owner(subject: str, observed: ObservedObject, job: str) -> Finding:
    metadata = observed.metadata
    if metadata.job not in ("", job):
        advice = "Give `state.s3` of this job another `key`"
        return Finding(subject, f"holds the state of the job {metadata.job}", "fault", advice)
    owner = "its last owner has ended" if metadata.released else "its owner may be running"
    commits = counted(metadata.commit, "commit")
    return Finding(subject, f"state of this job after {commits}, {owner}; {UNCHECKED}")


def _absent(subject: str, code: str) -> Finding:
    """A finding on an object that cannot be read.

    Without permission to list the bucket, S3 reports an absent object as forbidden.
    """
    if code in ("404", "NoSuchKey"):
        return Finding(subject, f"no state yet, the first run puts it; {UNCHECKED}")
    if code in ("403", "AccessDenied"):
        advice = (
            "The job needs s3:GetObject and s3:PutObject; s3:ListBucket lets this check distinguish"
            " the two cases"
        )
        return Finding(subject, "no state yet, or reading it is refused", "warning", advice)
    if permanent := permanent_reason(subject, code):
        return Finding(subject, permanent, "fault")
    advice = "Check state.s3.region, state.s3.endpoint_url and the network; a service waits"
    return Finding(subject, f"S3 does not respond: {code}", "fault", advice)
