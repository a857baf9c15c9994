"""Events at a rate that the service's own client could not send: ``python producer.py BOOTSTRAP
TOPIC PARTITIONS RATE STOP_S FILE``.

Runs in an environment of its own. ``FILE`` is JSON: two lists of (head, tail), calm and drifted;
the time of sending is put between. Events are drifted in each odd second since the epoch; at
``STOP_S`` it ends. Prints how many were sent a second.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from confluent_kafka import Producer


def main() -> None:
    bootstrap, topic, partitions, rate, stop_s, file = sys.argv[1:]
    forms = json.loads(Path(file).read_text())
    calm, drifted = ([(head.encode(), tail.encode()) for head, tail in form] for form in forms)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    )
    began, sent = time.time(), 0
    while (now := time.time()) < float(stop_s):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)).encode()
        form, due = drifted if int(now) % 2 else calm, int((now - began) * float(rate))
        for k in range(sent, due):
            head, tail = form[k % len(form)]
            producer.produce(topic, head + stamp + tail, partition=k % int(partitions))
        sent = due
        producer.poll(0)
        time.sleep(0.005)
    print(json.dumps({"sent_per_s": sent / (time.time() - began)}))
    producer.flush(10)


if __name__ == "__main__":
    main()
