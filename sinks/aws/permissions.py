"""The permission that is missing where AWS refuses a request."""

from __future__ import annotations

import re
from typing import Any, Final

DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
)
"""The codes of a refusal for lack of a permission."""
OF_KEY: Final = re.compile(r"not authorized to perform: (kms:\w+)")
"""The use of a key, which AWS names in the text of a refusal by another service."""
ACTIONS: Final = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
}
"""The actions of S3 that are not named like their request."""


def missing_permission(operation: Any, error: Any) -> str:
    """Return the IAM action that a refused request needs; empty for every other error.

    ``operation`` is the method of the client that was called, ``error`` its ``ClientError``.
    """
    if error.response.get("Error", {}).get("Code") not in DENIED:
        return ""
    if of_key := OF_KEY.search(str(error)):
        return of_key[1]
    meta = getattr(getattr(operation, "__self__", None), "meta", None)
    if meta is None:
        return ""
    name = error.operation_name
    return f"{meta.service_model.service_name}:{ACTIONS.get(name, name)}"
