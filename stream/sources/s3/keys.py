"""The layout of data capture: which partition an object's key belongs to."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

HOUR_MS: Final = 3_600_000
SUFFIXES: Final = (".jsonl", ".jsonl.gz")
"""The endings of the keys that are read."""
MEMBER: Final = " s3://"
"""What separates the key of a manifest from the address of an object that it names."""
_DATED: Final = re.compile(r"((?:.*?/)??)(\d{4}/\d{2}/\d{2}/\d{2})/", re.ASCII | re.DOTALL)


class Partition(NamedTuple):
    """A partition: the objects of one hour below ``root``, or those of a folder without a date.

    ``hour_ms`` is the start of the hour in UTC; ``None`` without a date, where ``root`` is the
    folder. The root of dated objects is that of one variant of one endpoint.
    """

    root: str
    hour_ms: int | None

    @property
    def name(self) -> str:
        """The folder in the bucket; one without a date ends with a slash.

        >>> Partition("ep/AllTraffic/", 1_750_000_000_000 // HOUR_MS * HOUR_MS).name
        'ep/AllTraffic/2025/06/15/15'
        """
        return self.root or "/" if self.hour_ms is None else hour_folder(self.root, self.hour_ms)

    @property
    def end_ms(self) -> int | None:
        """The end of the hour; ``None`` without a date."""
        return None if self.hour_ms is None else self.hour_ms + HOUR_MS


def hour_folder(root: str, hour_ms: int) -> str:
    """Return the folder of an hour; each key in it is greater than this text."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=hour_ms)
    return f"{root}{moment.year:04}/{moment:%m/%d/%H}"


def hour_time(partition: Partition) -> str:
    """Return the start of the hour as a time in UTC; that of 1970 without a date.

    >>> hour_time(partition_of("out/2026/11/30/03/m.json"))
    '2026-11-30T03:00:00Z'
    """
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=partition.hour_ms or 0)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def located(key: str, bucket: str) -> tuple[str, str]:
    """Return the bucket and the key of an object; one that a manifest names has its own bucket.

    >>> located("out/2026/11/30/03/m.json s3://b/run/a.csv.out", "captures")
    ('b', 'run/a.csv.out')
    >>> located("ep/a.jsonl", "captures")
    ('captures', 'ep/a.jsonl')
    """
    _, named, address = key.partition(MEMBER)
    if not named:
        return bucket, key
    of, _, name = address.partition("/")
    return of, name


def partition_of(key: str) -> Partition:
    """Return the partition of an object.

    >>> partition_of("ep/AllTraffic/2025/06/15/09/20-48-871-0b7b.jsonl").name
    'ep/AllTraffic/2025/06/15/09'
    >>> partition_of("plain/a.jsonl").name, partition_of("a.jsonl").name
    ('plain/', '/')
    >>> partition_of("ep/2025/13/45/09/a.jsonl").name
    'ep/2025/13/45/09/'
    """
    if found := _DATED.match(key):
        try:
            moment = datetime.strptime(found[2], "%Y/%m/%d/%H").replace(tzinfo=UTC)
        except ValueError:
            return Partition(_folder(key), None)
        return Partition(found[1], int(moment.timestamp()) * 1000)
    return Partition(_folder(key), None)


def partition_named(name: str) -> Partition:
    """Return the partition that has this name; the inverse of :attr:`Partition.name`.

    >>> partition_named("/plain/").root, partition_named("/").root
    ('/plain/', '')
    """
    if name == "/":
        return Partition("", None)
    return partition_of(name if name.endswith("/") else f"{name}/")


def is_read(key: str) -> bool:
    """Return whether an object holds records, by its name."""
    return key.endswith(SUFFIXES)


def _folder(key: str) -> str:
    folder, slash, _ = key.rpartition("/")
    return folder + slash
