"""The settings of librdkafka: our own, and the options of the source by their other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from stream.sources.kafka.msk_iam import MSK_IAM, token

OPTION_NAMES: Final = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
    "ssl_check_hostname": "ssl.endpoint.identification.algorithm",
    "client_id": "client.id",
    "fetch_max_bytes": "fetch.max.bytes",
    "fetch_max_wait_ms": "fetch.wait.max.ms",
    "fetch_min_bytes": "fetch.min.bytes",
    "max_partition_fetch_bytes": "max.partition.fetch.bytes",
    "metadata_max_age_ms": "topic.metadata.refresh.interval.ms",
    "reconnect_backoff_max_ms": "reconnect.backoff.max.ms",
}
"""Options of the source and their names in librdkafka."""
SETTINGS: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    # A batch with a wrong checksum ends the whole process in librdkafka 2.16: it continues to parse
    # at a wrong place, up to a failed assertion.
    "check.crcs": False,
    "fetch.queue.backoff.ms": 10,  # by default a full queue pauses for a second
    "queued.max.messages.kbytes": 16384,  # bounds the queue whatever the number of partitions
    "queued.min.messages": 20_000,
    "reconnect.backoff.max.ms": 1000,
    "allow.auto.create.topics": False,
}
"""Settings that differ from librdkafka's defaults, unless an option overrides them."""
DEFAULT_FETCH_BYTES: Final = 52_428_800
"""librdkafka's own ``fetch.max.bytes``."""
RESPONSE_OVERHEAD_BYTES: Final = 512
"""What a response needs in addition to the records that it holds."""


MIN_RESPONSE_BYTES: Final = 1_000
"""The least that librdkafka accepts for a response."""


def librdkafka_settings(
    servers: Sequence[str],
    job: str,
    options: Mapping[str, Any],
    region: str,
    max_batch_bytes: int = 0,
) -> dict[str, Any]:
    """Return the configuration of librdkafka for a source: our settings, then its options.

    ``AWS_MSK_IAM`` becomes ``OAUTHBEARER`` with tokens that are signed here. ``max_batch_bytes`` is
    the length up to which it decompresses a batch of zstd, but no less than that of a response.

    >>> settings = librdkafka_settings(["h:1"], "job", {"ssl_check_hostname": False}, "")
    >>> settings["ssl.endpoint.identification.algorithm"]
    'none'
    """
    translated = {OPTION_NAMES[name]: value for name, value in options.items()}
    if "ssl_check_hostname" in options:
        algorithm = "https" if options["ssl_check_hostname"] else "none"
        translated[OPTION_NAMES["ssl_check_hostname"]] = algorithm
    if options.get("sasl_mechanism") == MSK_IAM:
        translated["sasl.mechanism"] = "OAUTHBEARER"
        translated["oauth_cb"] = lambda _config: token(region)
    fetch_bytes = translated.get("fetch.max.bytes", DEFAULT_FETCH_BYTES)
    if isinstance(fetch_bytes, int):  # anything else is refused by librdkafka
        response_bytes = fetch_bytes + RESPONSE_OVERHEAD_BYTES
        largest_bytes = max(max_batch_bytes, response_bytes, MIN_RESPONSE_BYTES)
        translated["receive.message.max.bytes"] = largest_bytes
    return {"bootstrap.servers": ",".join(servers), "group.id": job, **SETTINGS, **translated}
