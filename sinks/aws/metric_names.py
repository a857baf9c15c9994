"""Names of metrics and values of dimensions that Amazon CloudWatch accepts."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from detectors.faults import Fault

LONGEST_NAME: Final = 255
"""The longest name of a metric, in characters."""
LONGEST_VALUE: Final = 1_024
"""The longest value of a dimension, in characters."""
_UNACCEPTED: Final = re.compile(r"[^ -~]")
"""CloudWatch accepts printable ASCII characters, and at least one that is not a space."""


def is_accepted(text: str, longest: int) -> bool:
    """Return whether CloudWatch accepts a text of at most ``longest`` characters unchanged.

    >>> is_accepted("area", 255), is_accepted("Größe", 255), is_accepted(" ", 255)
    (True, False, False)
    """
    return len(text) <= longest and bool(text.strip()) and not _UNACCEPTED.search(text)


def accepted(text: str, longest: int) -> str:
    """Return the text if CloudWatch accepts it, otherwise a name that stands for it.

    Each character that is not accepted becomes ``_``, the end is cut off, and eight hexadecimal
    digits of a hash of the whole text follow. So the same text always has the same name, and two
    texts have two names.

    >>> accepted("area", 255), accepted("Größe", 255)
    ('area', 'Gr__e~b7256ba6')
    >>> len(accepted("x" * 300, 255))
    255
    """
    if is_accepted(text, longest):
        return text
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    readable = _UNACCEPTED.sub("_", text[: longest - len(digest) - 1]).strip()
    return f"{readable}~{digest}"


def metric_name(prefix: str, feature: str) -> str:
    """Return the name of a feature's metric, whose part for the feature is :func:`accepted`.

    >>> metric_name("feature_data_", "area")
    'feature_data_area'
    """
    if is_accepted(prefix + feature, LONGEST_NAME):
        return prefix + feature
    return prefix + accepted(feature, LONGEST_NAME - len(prefix))


def dimensions(endpoint: str | None, schedule_name: str, variant: str) -> list[dict[str, str]]:
    """Return the dimensions of a metric: those of SageMaker Model Monitor.

    If ``endpoint`` is ``None``, as for batch transform jobs, there is no such dimension. A variant
    other than ``AllTraffic`` is added.

    >>> [entry["Value"] for entry in dimensions("flights", "hourly", "AllTraffic")]
    ['flights', 'hourly']
    """
    names = {} if endpoint is None else {"Endpoint": endpoint}
    names["MonitoringSchedule"] = schedule_name
    if variant != "AllTraffic":
        names["Variant"] = variant
    return [
        {"Name": name, "Value": accepted(value, LONGEST_VALUE)} for name, value in names.items()
    ]


def namespace_faults(namespace: str) -> list[Fault]:
    """Return the fault of a namespace that CloudWatch does not accept."""
    if not namespace:
        return [Fault("namespace", "a name is required")]
    if namespace.startswith(("AWS/", ":")):
        return [Fault("namespace", f"{namespace!r} is reserved for AWS")]
    if not is_accepted(namespace, LONGEST_NAME):
        expected = f"at most {LONGEST_NAME} printable ASCII characters"
        return [Fault("namespace", f"CloudWatch accepts {expected}, found {namespace!r}")]
    return []


def dimension_faults(endpoint: str, schedule_name: str) -> list[Fault]:
    """Return the faults of the keys of dimensions; empty values are defaults, and accepted."""
    expected = f"at most {LONGEST_VALUE:,} printable ASCII characters"
    return [
        Fault(key, f"CloudWatch accepts {expected}, found {value!r}")
        for key, value in (("endpoint", endpoint), ("schedule_name", schedule_name))
        if value and not is_accepted(value, LONGEST_VALUE)
    ]
