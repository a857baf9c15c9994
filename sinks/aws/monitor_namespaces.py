"""The namespaces of SageMaker Model Monitor in CloudWatch, and the dimensions in each."""

from __future__ import annotations

import re
from typing import Final

ENDPOINT_DATA: Final = "aws/sagemaker/Endpoints/data-metrics"
"""The data quality of an endpoint, as jobs and alarms write it."""
BATCH_DATA: Final = "aws/sagemaker/ModelMonitoring/data-metrics"
"""The data quality of batch transform jobs."""
_MODEL_MONITOR: Final = re.compile(r"/?aws/sagemaker(/|$)", re.IGNORECASE)
_BATCH: Final = re.compile(r"/?aws/sagemaker/ModelMonitoring(/|$)", re.IGNORECASE)


def is_model_monitor(namespace: str) -> bool:
    """Return whether a namespace is one of SageMaker Model Monitor.

    Its jobs write it without a slash in front; its documentation, and some alarms, with one.

    >>> is_model_monitor("/aws/sagemaker/Endpoints/data-metric"), is_model_monitor("aws/sagemakers")
    (True, False)
    """
    return bool(_MODEL_MONITOR.match(namespace))


def kind_of(namespace: str) -> str:
    """Return the kind of a monitor, in any spelling of its namespace: ``data``, ``model``, ...

    >>> kind_of("/aws/sagemaker/Endpoint/data-metric"), kind_of("aws/sagemaker/x/bias-metrics")
    ('data', 'bias')
    """
    return namespace.rsplit("/", 1)[-1].split("-", 1)[0].lower()


def is_batch(namespace: str) -> bool:
    """Return whether a namespace is that of batch transform jobs, which have no endpoint.

    >>> is_batch(BATCH_DATA), is_batch(ENDPOINT_DATA)
    (True, False)
    """
    return bool(_BATCH.match(namespace))
