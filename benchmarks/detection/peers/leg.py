"""A peer on a list of tasks from standard input, in its own environment; prints a line for each.

``python -m benchmarks.detection.peers.leg evidently``. A task is ``{"seed", "kinds", "m", "n",
"windows", "repeat"}`` for a stream without drift, or ``{"seed", "drift", "n", "m", "base",
"repeats", "most"}`` for trials of a drift.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks.detection.kinds import DRIFTS, KINDS, DriftTrial, names_of

CELLS_AT_ONCE = 500_000


def peer_of(name):
    if name == "evidently":
        from benchmarks.detection.peers.with_evidently import Evidently as Peer
    elif name == "nannyml":
        from benchmarks.detection.peers.with_nannyml import NannyML as Peer
    elif name == "river":
        from benchmarks.detection.peers.with_river import River as Peer
    else:
        from benchmarks.detection.peers.fixed import Fixed as Peer
    return Peer()


def calm(peer, task):
    """By method: windows, those with a flag, and flags of all features."""
    random = np.random.default_rng([task["seed"], 5, task["n"], task["repeat"]])
    kinds, n = task["kinds"], task["n"]
    named = list(zip(names_of(kinds), kinds, strict=True))
    watch = peer.watch(kinds, {name: KINDS[k].draw(random, task["m"]) for name, k in named}, n)
    at_once = max(1, CELLS_AT_ONCE // (n * len(kinds)))
    out = {}
    for first in range(0, task["windows"], at_once):
        count = min(at_once, task["windows"] - first) * n
        for method, flags in watch.flags(
            {a: KINDS[k].draw(random, count) for a, k in named}
        ).items():
            sums = out.setdefault(method, {"windows": 0, "flagged": 0, "flags": 0})
            sums["windows"] += len(flags)
            sums["flagged"] += int(flags.any(axis=1).sum())
            sums["flags"] += int(flags.sum())
    return out


def power(peer, task):
    """By method, the windows until the first flag of each trial."""
    kind = DRIFTS[task["drift"]].kind
    (name,) = names_of([kind])
    out = {}
    watch = None
    for repeat in range(task["repeats"]):
        trial = DriftTrial(task["drift"], task["n"], task["m"], task["base"], repeat, task["most"])
        if watch is None or peer.remembers_windows:
            watch = peer.watch([kind], {name: trial.reference(task["seed"])}, task["n"])
        found = {}
        for first, values in trial.windows(task["seed"]):
            for method, flags in watch.flags({name: values}).items():
                hits = np.flatnonzero(flags[:, 0])
                if found.setdefault(method) is None and len(hits):
                    found[method] = first + int(hits[0]) + 1
            if None not in found.values():
                break
        for method, windows in found.items():
            out.setdefault(method, []).append(windows)
    return out


def main():
    """Answer the tasks."""
    peer = peer_of(sys.argv[1])
    for task in json.load(sys.stdin):
        print(json.dumps((power if "drift" in task else calm)(peer, task)), flush=True)


if __name__ == "__main__":
    main()
