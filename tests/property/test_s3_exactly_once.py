"""Objects that appear, late or in time, are overwritten and deleted, while readings crash: each
object is read once, or its loss is told.

The bucket is a dictionary; S3's own behaviour is tested against a server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.s3.catalog import Catalog
from stream.sources.s3.client import ObjectInfo, Page, S3Error
from stream.sources.s3.direct import Chunk
from stream.sources.s3.fetching import Fetcher
from stream.sources.s3.keys import HOUR_MS, hour_folder
from stream.sources.s3.reading import S3Reading
from stream.sources.s3.watch import Watch

START_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS
HORIZON_MS = 2 * HOUR_MS
ROOTS = ("ep/a/", "ep/b/")


class Bucket:
    """Objects in memory, with pages of three keys, under the calls that a reading makes."""

    label, prefix, trouble = "s3://b/ep/", "ep/", ""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str, int]] = {}

    def put(self, key: str, lines: list[bytes], now_ms: int) -> None:
        etag = f"e{hash((key, tuple(lines), now_ms))}"
        self.objects[key] = b"".join(line + b"\n" for line in lines), etag, now_ms

    def page(self, after: str, max_keys: int = 3) -> Page:
        keys = sorted(key for key in self.objects if key > after)
        infos = [
            ObjectInfo(key, etag, len(body), ms)
            for key in keys[:max_keys]
            for body, etag, ms in [self.objects[key]]
        ]
        return Page(infos, len(keys) > max_keys)

    def read(self, key: str, start: int, length: int | None, etag: str) -> Chunk:
        if key not in self.objects:
            raise S3Error("GetObject", "", "NoSuchKey", "no_object", "")
        body, known, ms = self.objects[key]
        if etag and etag != known:
            raise S3Error("GetObject", "", "PreconditionFailed", "changed", "")
        stop = len(body) if length is None else start + length
        return Chunk(body[start:stop], known, len(body), ms)

    def report_success(self) -> None: ...

    def report_failure(self, failure: S3Error) -> None: ...

    def close(self) -> None: ...


def is_quiet(result: RawBatch | Gap) -> bool:
    return isinstance(result, RawBatch) and result.at_end


class Job:
    """The part of the aggregator that keeps positions, lineage and expiry, in plain loops."""

    def __init__(self, bucket: Bucket, clock: list[int]) -> None:
        self.bucket = bucket
        self.clock = clock
        self.next: dict[str, Position] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.ended: set[str] = set()
        self.forgotten: set[str] = set()
        self.counts: Counter[bytes] = Counter()
        self.gaps: list[Gap] = []
        self.assigned: set[str] = set()
        self.restart()

    def restart(self) -> None:
        catalog = Catalog(HORIZON_MS, 0, False, True, lambda: self.clock[0])
        self.watch = Watch(self.bucket, catalog, None, 1.0)  # type: ignore[arg-type]
        self.watch.start = lambda: None  # type: ignore[method-assign]
        fetcher = Fetcher(self.bucket, catalog.changed)  # type: ignore[arg-type]
        self.reading = S3Reading(self.watch, fetcher, 1e9)
        catalog.note_known({n: at for n, at in self.next.items() if n not in self.ended})
        self.watch.list_once()
        self.assigned = set()
        self._assign()

    def list_once(self) -> None:
        self.watch.list_once()

    def _add(self, found: DiscoveredPartition) -> None:
        if found.partition not in self.next:
            assert found.partition not in self.forgotten, "discovered again after it expired"
            self.next[found.partition] = found.start
            self.parents[found.partition] = found.parents

    def _assign(self) -> None:
        for name in list(self.next):
            waits = not (self.ended | self.forgotten).issuperset(self.parents[name])
            if name not in self.assigned and name not in self.ended and not waits:
                self.assigned.add(name)
                self._read_from(name)

    def _read_from(self, name: str) -> None:
        assign = Assign(claim=1, partition=name, next=self.next[name], mark_ms=None)
        for gap in self.reading.assign([assign]):
            self._skip(gap)

    def _skip(self, gap: Gap) -> None:
        assert gap.expected == self.next[gap.partition]
        self.gaps.append(gap)
        self.next[gap.partition] = gap.resume
        self._read_from(gap.partition)

    def discover(self) -> None:
        for found in self.reading.discover():
            self._add(found)
        self._assign()
        for name in self.reading.expired(sorted(self.ended)):
            if not any(name in parents for parents in self.waiting()):
                self.ended.discard(name)
                del self.next[name], self.parents[name]
                self.forgotten.add(name)
        for root in ROOTS:
            open_hours = [n for n in self.next if n.startswith(root) and n not in self.ended]
            assert open_hours or not any(n.startswith(root) for n in self.next)

    def waiting(self) -> list[tuple[str, ...]]:
        return [self.parents[name] for name in self.next if name not in self.assigned]

    def poll(self, times: int, max_records: int) -> None:
        for _ in range(times):
            results = self.reading.poll(0.01, max_records)
            if {result.partition for result in results if is_quiet(result)} == self.next.keys():
                return
            for result in results:
                if isinstance(result, Gap):
                    self._skip(result)
                else:
                    self._take(result)

    def _take(self, batch: RawBatch) -> None:
        assert batch.first == self.next[batch.partition]
        self.next[batch.partition] = batch.next
        self.counts.update(value for value in batch.values if value is not None)
        if batch.ended:
            self.ended.add(batch.partition)
            for child in batch.children:
                self._add(child)
        self._assign()


class History:
    """A seeded course of events in the bucket, in time, and in the job.

    ``written`` has the lines of each object, ``touched`` the keys that were overwritten or deleted.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.bucket, self.clock = Bucket(), [START_MS]
        self.written: dict[str, list[bytes]] = {}
        self.touched: set[str] = set()
        self.job = Job(self.bucket, self.clock)

    def put(self, step: int) -> None:
        random = self.random
        hour_ms = self.clock[0] - random.choice([0, 0, 0, 1]) * HOUR_MS
        folder = hour_folder(random.choice(ROOTS), hour_ms)
        key = f"{folder}/{random.randint(0, 99):02d}-{step}.jsonl"
        self.written[key] = [b"%s %d" % (key.encode(), n) for n in range(random.randint(0, 4))]
        self.bucket.put(key, self.written[key], self.clock[0])

    def touch(self, step: int) -> None:
        if self.bucket.objects:
            key = self.random.choice(sorted(self.bucket.objects))
            self.touched.add(key)
            if self.random.random() < 0.5:
                del self.bucket.objects[key]
            else:
                self.bucket.put(key, [b"other %d" % step], self.clock[0])

    def wait(self, step: int) -> None:
        self.clock[0] += self.random.choice([HOUR_MS // 4, HOUR_MS])

    def crash(self, step: int) -> None:
        self.job.reading.close()
        self.job.restart()

    def run(self) -> None:
        actions: list[tuple[float, Callable[[int], None]]] = [
            (0.45, self.put),
            (0.05, self.touch),
            (0.1, self.wait),
            (0.1, lambda step: self.job.list_once()),
            (0.1, lambda step: self.job.discover()),
            (0.15, lambda step: self.job.poll(1, self.random.randint(1, 5))),
            (0.05, self.crash),
        ]
        weights = [weight for weight, _ in actions]
        for step in range(40):
            _, action = self.random.choices(actions, weights)[0]
            action(step)
        for _ in range(4):
            self.job.list_once()
            self.job.discover()
            self.job.poll(40, 100)
        self.job.reading.close()


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_each_object_is_read_once_or_its_loss_is_told(seed: int) -> None:
    history = History(seed)
    history.run()
    counts = history.job.counts
    told = " ".join(gap.reason for gap in history.job.gaps)
    for key, lines in history.written.items():
        read = {counts[line] for line in lines}
        assert read <= ({0, 1} if key in history.touched else {1}), key
        if len(read) == 2:
            assert key in told, f"a part of {key} was lost, and not told"
