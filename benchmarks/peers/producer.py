"""Sends events at a high rate: ``python producer.py BOOTSTRAP TOPIC PARTITIONS RATE STOP_S FILE``.

Runs in an environment of its own. ``FILE`` is JSON: two lists of (head, tail), one of calm and one
of drifted events; the time of sending is inserted between head and tail. Events are drifted in each
odd second since the epoch. Stops at ``STOP_S`` and prints the achieved rate.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from confluent_kafka import Producer


def main() -> None:
    bootstrap, topic, partitions, rate, stop_s, file = sys.argv[1:]
    templates = json.loads(Path(file).read_text())
    calm, drifted = ([(head.encode(), tail.encode()) for head, tail in kind] for kind in templates)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    )
    began_s = time.time()
    sent = 0
    while (now := time.time()) < float(stop_s):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)).encode()
        events = drifted if int(now) % 2 else calm
        due = int((now - began_s) * float(rate))
        for k in range(sent, due):
            head, tail = events[k % len(events)]
            producer.produce(topic, head + stamp + tail, partition=k % int(partitions))
        sent = due
        producer.poll(0)
        time.sleep(0.005)
    print(json.dumps({"sent_per_s": sent / (time.time() - began_s)}))
    producer.flush(10)


if __name__ == "__main__":
    main()
