"""A reader process that reads nothing and floods its owner with heartbeats."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection

from stream.readers.messages import Decoding, Heartbeat, encode

HEARTBEATS = 20_000


def serve(pipe: Connection, setup: bytes) -> None:
    """Send ``Decoding``, 20,000 heartbeats, ``Decoding``, one more heartbeat; then stay alive."""
    pipe.send_bytes(encode(Decoding([("p", 1)])))
    for k in range(HEARTBEATS):
        pipe.send_bytes(encode(Heartbeat(k, False)))
    pipe.send_bytes(encode(Decoding([("p", 2)])))
    pipe.send_bytes(encode(Heartbeat(HEARTBEATS, True)))
    time.sleep(600)
