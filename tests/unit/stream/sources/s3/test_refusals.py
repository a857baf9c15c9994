"""What the error codes of S3 mean for an object."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from stream.sources.s3.client import s3_error

OF_CUSTOMER = (
    "The object was stored using a form of Server Side Encryption. "
    "The correct parameters must be provided to retrieve the object."
)


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("InvalidRequest", OF_CUSTOMER, "refused"),
        ("InvalidRequest", "Please use AWS4-HMAC-SHA256.", "transient"),
        ("KeyTooLongError", "Your key is too long", "refused"),
        ("ExpiredToken", "The provided token has expired.", "transient"),
        ("RequestTimeTooSkewed", "The difference is too large.", "transient"),
        ("KMS.DisabledException", "The key is disabled.", "transient"),
        ("InvalidObjectState", "The object is archived.", "archived"),
    ],
)
def test_an_object_that_no_retry_makes_readable_is_lost_and_any_other_is_tried_again(
    code: str, message: str, kind: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")
    assert s3_error("GetObject", "s3:GetObject", error).kind == kind
