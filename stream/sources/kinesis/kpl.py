"""Decodes aggregated records of the Kinesis Producer Library (KPL): many user records in one.

An aggregated record is four magic bytes, a protobuf message, and the MD5 digest of that message.
Source: "KPL Aggregated Record Format" in AWS's repository ``awslabs/amazon-kinesis-producer``
(``aggregation-format.md``), which defines the message as

.. code-block:: proto

    message AggregatedRecord {
      repeated string partition_key_table     = 1;
      repeated string explicit_hash_key_table = 2;
      repeated Record records                 = 3;
    }
    message Tag {
      required string key   = 1;
      optional string value = 2;
    }
    message Record {
      required uint64 partition_key_index     = 1;
      optional uint64 explicit_hash_key_index = 2;
      required bytes  data                    = 3;
      repeated Tag    tags                    = 4;
    }

The message class is built from this description at import, so that no generated code ties the
project to one version of protobuf. Keys are declared as ``bytes``, which have the same encoding as
``string``: a key is passed on as the producer wrote it, even if it is not valid UTF-8.
"""

from __future__ import annotations

from hashlib import md5
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

MAGIC: Final = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES: Final = 16
_PACKAGE: Final = "driftline.kinesis"


class UserRecords(NamedTuple):
    """The user records of one stored record, in the order in which they were put."""

    keys: list[bytes | None]
    values: list[bytes | None]


def deaggregate(data: bytes) -> UserRecords | None:
    """Return the user records in an aggregated record, ``None`` if ``data`` is not one.

    ``None`` stands for data without the magic bytes or with a wrong digest, which is an ordinary
    record, and for a damaged message: one that lacks required fields or holds no user record, so
    that no stored record disappears. Nothing of the data is logged or printed.

    >>> deaggregate(b"plain") is None
    True
    """
    body = data[len(MAGIC) : -DIGEST_BYTES]
    if not body or not data.startswith(MAGIC) or _digest(body) != data[-DIGEST_BYTES:]:
        return None
    keys: list[bytes | None] = []
    values: list[bytes | None] = []
    try:
        message = _MESSAGE.FromString(body)
        if not message.records or not message.IsInitialized():
            return None
        table = list(message.partition_key_table)
        for record in message.records:
            keys.append(table[record.partition_key_index])
            values.append(record.data)
    except (DecodeError, IndexError):
        return None
    return UserRecords(keys, values)


def _digest(body: bytes) -> bytes:
    return md5(body, usedforsecurity=False).digest()


def _message_class() -> Any:
    """Build the class of ``AggregatedRecord``, in a pool that no other library shares."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_description())
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.AggregatedRecord")
    )


def _description() -> FileDescriptorProto:
    """The three messages of the format, as in the docstring of this module."""
    file = FileDescriptorProto(name="driftline/kpl.proto", package=_PACKAGE, syntax="proto2")
    file.message_type.add(name="AggregatedRecord").field.extend(
        [
            _field("partition_key_table", 1, Field.LABEL_REPEATED, Field.TYPE_BYTES),
            _field("explicit_hash_key_table", 2, Field.LABEL_REPEATED, Field.TYPE_BYTES),
            _field("records", 3, Field.LABEL_REPEATED, Field.TYPE_MESSAGE, "Record"),
        ]
    )
    file.message_type.add(name="Tag").field.extend(
        [
            _field("key", 1, Field.LABEL_REQUIRED, Field.TYPE_BYTES),
            _field("value", 2, Field.LABEL_OPTIONAL, Field.TYPE_BYTES),
        ]
    )
    file.message_type.add(name="Record").field.extend(
        [
            _field("partition_key_index", 1, Field.LABEL_REQUIRED, Field.TYPE_UINT64),
            _field("explicit_hash_key_index", 2, Field.LABEL_OPTIONAL, Field.TYPE_UINT64),
            _field("data", 3, Field.LABEL_REQUIRED, Field.TYPE_BYTES),
            _field("tags", 4, Field.LABEL_REPEATED, Field.TYPE_MESSAGE, "Tag"),
        ]
    )
    return file


def _field(
    name: str, number: int, label: Field.Label.ValueType, kind: Field.Type.ValueType, of: str = ""
) -> Field:
    type_name = f".{_PACKAGE}.{of}" if of else None
    return Field(name=name, number=number, label=label, type=kind, type_name=type_name)


_MESSAGE: Final = _message_class()
