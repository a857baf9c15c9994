"""Positions in the objects of a partition, with what recognises the objects that were read."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import Final

import msgspec

from stream.events import Position

_KEY_BYTES: Final = 8
_ETAG_BYTES: Final = 4
_ENTRY_BYTES: Final = _KEY_BYTES + _ETAG_BYTES
"""A multiple of three, so that entries are appended to the text in base64."""
_SEPARATOR: Final = "\0"
"""Keys hardly ever contain it, and JSON never does."""


class ObjectMemory(msgspec.Struct, frozen=True, array_like=True):
    """What a position remembers besides its place.

    ``etag`` is that of the object at the place, if only a part of it was read. ``read`` has a hash
    of the key and of the ETag of each object that was read to its end, in base64. All objects that
    S3 took up to ``floor_ms`` were read, and those with a key before ``after``. ``plain``: the
    object at the place is known not to be compressed. ``first``: before this hour none of its root
    was read to its end, so that earlier ones may still appear.
    """

    etag: str = ""
    read: str = ""
    floor_ms: int = 0
    after: str = ""
    plain: bool = False
    first: bool = False


class ObjectPlace(msgspec.Struct, frozen=True):
    """A place in a partition: an object, the offset of the next line in its uncompressed content,
    and what was read before.
    """

    key: str = ""
    offset: int = 0
    memory: ObjectMemory = ObjectMemory()


def encode(place: ObjectPlace) -> Position:
    """Return the position: the key, with the memory as JSON behind it, and the offset.

    >>> encode(ObjectPlace())
    ('', 0)
    >>> place = ObjectPlace("a", 7, ObjectMemory("e"))
    >>> decode(encode(place)) == place
    True
    """
    if place.memory == ObjectMemory() and _SEPARATOR not in place.key:
        return place.key, place.offset
    return (
        f"{place.key}{_SEPARATOR}{msgspec.json.encode(place.memory).decode()}",
        place.offset,
    )


def decode(position: Position) -> ObjectPlace:
    """Return the place of a position.

    One that is only a key and an offset, as in a dead letter, has all objects with an earlier key
    behind it.

    >>> decode(("b.jsonl", 40)).memory.after
    'b.jsonl'
    """
    if isinstance(position, int):
        raise TypeError(f"a position in S3 is a key and an offset, not {position}")
    key, separator, packed = position[0].rpartition(_SEPARATOR)
    if not separator:
        return ObjectPlace(packed, position[1], ObjectMemory(after=packed))
    return ObjectPlace(key, position[1], msgspec.json.decode(packed, type=ObjectMemory))


def key_hash(key: str) -> bytes:
    """Return the hash by which a position recognises a key."""
    return blake2b(key.encode(), digest_size=_KEY_BYTES).digest()


def etag_hash(etag: str) -> bytes:
    """Return the hash by which a position recognises the content of an object."""
    return blake2b(etag.encode(), digest_size=_ETAG_BYTES).digest()


class ReadObjects:
    """The objects of a partition that were read to their ends, by the hashes of their keys.

    >>> objects = ReadObjects("")
    >>> objects.add("a.jsonl", "e1")
    >>> "a.jsonl" in objects, objects.has("a.jsonl", "e1"), objects.has("a.jsonl", "e2")
    (True, True, False)
    >>> ReadObjects(objects.packed).has("a.jsonl", "e1")
    True
    """

    def __init__(self, packed: str) -> None:
        self.packed = packed
        raw = b64decode(packed)
        self._etags = {
            raw[at : at + _KEY_BYTES]: raw[at + _KEY_BYTES : at + _ENTRY_BYTES]
            for at in range(0, len(raw), _ENTRY_BYTES)
        }

    def __len__(self) -> int:
        return len(self._etags)

    def __contains__(self, key: str) -> bool:
        return key_hash(key) in self._etags

    def has(self, key: str, etag: str) -> bool:
        """Return whether the object was read with this content."""
        return self._etags.get(key_hash(key)) == etag_hash(etag)

    def add(self, key: str, etag: str) -> None:
        """Note an object; a later note of the same key replaces an earlier one."""
        name = key_hash(key)
        replaced = name in self._etags
        self._etags[name] = etag_hash(etag)
        if replaced:
            self._pack()
        else:
            self.packed += b64encode(name + self._etags[name]).decode()

    def forget(self, keys: list[str]) -> None:
        """Forget some objects."""
        for key in keys:
            self._etags.pop(key_hash(key), None)
        self._pack()

    def _pack(self) -> None:
        entries = (name + etag for name, etag in self._etags.items())
        self.packed = b64encode(b"".join(entries)).decode()
