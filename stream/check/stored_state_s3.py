"""The state of a job in S3: whether bucket and object are there, whose it is, and what was put
last.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from stream.check.findings import Finding, counted
from stream.check.stored_state import read_stored
from stream.config.model import S3Config
from stream.state.s3.content import unpack
from stream.state.s3.object import ObservedObject, S3RequestFailed, StateObject
from stream.state.s3.request_errors import permanent_reason
from stream.state.stored import StoredState

UNTRIED = "whether s3:PutObject is allowed is not known before it is used"


def look(config: S3Config, job: str) -> tuple[StoredState | None, list[Finding]]:
    """What the object holds, and what there is to say of it; nothing is put. Raises as
    :func:`stream.check.stored_state.read_stored` does.
    """
    there = StateObject(config, job)
    try:
        seen = _seen(there)
        content = there.fetch(seen.etag if seen else None)
    except S3RequestFailed as error:
        return None, [_absent(there.uri, error.code)]
    if seen is None:
        return None, [
            Finding(there.uri, "is put there just now by another service: look again", "warning")
        ]
    return _read(unpack(content, there.uri)), [_whose(there.uri, seen, job)]


def _seen(there: StateObject) -> ObservedObject | None:
    """A refusal has no words here: fetching tells whether rights, credentials or the bucket are
    missing.
    """
    try:
        return there.head()
    except S3RequestFailed as error:
        if error.code != "403":
            raise
        return None


def _read(content: bytes) -> StoredState | None:
    with TemporaryDirectory(prefix="driftline-") as folder:
        path = Path(folder) / "state.sqlite"
        path.write_bytes(content)
        return read_stored(path)


def _whose(where: str, seen: ObservedObject, job: str) -> Finding:
    metadata = seen.metadata
    if metadata.job not in ("", job):
        return Finding(
            where,
            f"holds the state of the job {metadata.job}",
            "fault",
            "Give `state.s3` of this job another `key`",
        )
    owned = "its last owner has ended" if metadata.released else "it has an owner, who may be alive"
    return Finding(
        where, f"state of this job after {counted(metadata.commit, 'commit')}, {owned}; {UNTRIED}"
    )


def _absent(where: str, code: str) -> Finding:
    """Without the right to list the bucket S3 calls an absent object forbidden."""
    if code in ("404", "NoSuchKey"):
        return Finding(where, f"no state there yet, the first run puts it; {UNTRIED}")
    if code in ("403", "AccessDenied"):
        advice = (
            "Needed are s3:GetObject and s3:PutObject; who has s3:ListBucket too is told which of"
            " both it is"
        )
        return Finding(where, "no state there yet, or reading it is refused", "warning", advice)
    advice = (
        ""
        if permanent_reason(where, code)
        else "Check state.s3.region, state.s3.endpoint_url and the network; a running service waits"
    )
    return Finding(
        where, permanent_reason(where, code) or f"S3 does not answer: {code}", "fault", advice
    )
