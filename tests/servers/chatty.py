"""A reader process that reads nothing: it gives signs of life, far more in a moment than a real one
in an hour, and waits."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection

from stream.readers.messages import Decoding, Heartbeat, encode

SIGNS = 20_000


def serve(pipe: Connection, setup: bytes) -> None:
    """Say ``Decoding``, many signs of life, ``Decoding``, one more sign; then stay."""
    pipe.send_bytes(encode(Decoding([("p", 1)])))
    for k in range(SIGNS):
        pipe.send_bytes(encode(Heartbeat(k, False)))
    pipe.send_bytes(encode(Decoding([("p", 2)])))
    pipe.send_bytes(encode(Heartbeat(SIGNS, True)))
    time.sleep(600)
