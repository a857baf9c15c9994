"""Features whose dependence changes while each of them stays as it is, and calm ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import ndtr, ndtri

from benchmarks.detection.driftline_judge import Stream, rules
from benchmarks.detection.kinds import Random, Values
from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import Fold
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING
from detectors.profiles.profile import Profile
from stream.baselining.build import make
from stream.baselining.row_order import dependence_of

ROWS: Final = 1_000
BASELINE_ROWS: Final = 20_000
ROWS_AT_ONCE: Final = 50_000
CITIES: Final = np.array(["Berlin", "Hamburg", "Koeln", "Bremen", "Mainz"])
Columns = dict[str, Values]


def correlated(rho: float) -> Callable[[Random, int], Columns]:
    """Two normal features with this correlation."""

    def draw(random: Random, n: int) -> Columns:
        a = random.normal(size=n)
        return {"a": a, "b": rho * a + np.sqrt(1.0 - rho * rho) * random.normal(size=n)}

    return draw


def sine_clusters(*, flipped: bool) -> Callable[[Random, int], Columns]:
    """Two uniform features and a label that says on which side of a sine the second one lies."""

    def draw(random: Random, n: int) -> Columns:
        x, y = random.random(n), random.random(n)
        above = y > 0.5 + 0.3 * np.sin(2.0 * np.pi * x)
        return {"x": x, "y": y, "label": (above != flipped).astype(np.float64)}

    return draw


def parabola(*, paired: bool) -> Callable[[Random, int], Columns]:
    """A feature and its square with noise, which do not correlate; or the same at random."""

    def draw(random: Random, n: int) -> Columns:
        x = random.normal(size=n)
        y = x * x + 0.5 * random.normal(size=n)
        return {"x": x, "y": y if paired else random.permutation(y)}

    return draw


def city_and_area(*, paired: bool) -> Callable[[Random, int], Columns]:
    """A text and a skewed number that depends on it; paired at random if not ``paired``."""

    def draw(random: Random, n: int) -> Columns:
        city = random.choice(5, n, p=[0.4, 0.25, 0.15, 0.12, 0.08])
        area = random.lognormal(3.5 + 0.3 * city, 0.5)
        return {"city": CITIES[city], "area": area if paired else random.permutation(area)}

    return draw


class JointChange(NamedTuple):
    """A change of dependence: how rows are drawn before and after it."""

    before: Callable[[Random, int], Columns]
    after: Callable[[Random, int], Columns]


CHANGES: Final[Mapping[str, JointChange]] = {
    "sine clusters, labels flip": JointChange(
        sine_clusters(flipped=False), sine_clusters(flipped=True)
    ),
    "correlation .8 -> -.8": JointChange(correlated(0.8), correlated(-0.8)),
    "correlation .9 -> .5": JointChange(correlated(0.9), correlated(0.5)),
    "correlation 0 -> .5": JointChange(correlated(0.0), correlated(0.5)),
    "correlation 0 -> .2": JointChange(correlated(0.0), correlated(0.2)),
    "rows of one column swapped": JointChange(correlated(0.9), correlated(0.0)),
    "parabola, paired at random": JointChange(parabola(paired=True), parabola(paired=False)),
    "text and number, paired at random": JointChange(
        city_and_area(paired=True), city_and_area(paired=False)
    ),
}
"""The first four are those that were asked for."""


def factor_model(random: Random, n: int) -> Columns:
    """Twenty dependent features: normal, heavy-tailed, skewed, discrete, with zeros, with missing
    values, and texts, all of which share two normal parts.
    """
    common = random.normal(size=(2, n))
    load = np.linspace(0.95, 0.1, 20)
    u = [
        ndtr(r * common[k % 2] + np.sqrt(1.0 - r * r) * random.normal(size=n))
        for k, r in enumerate(load)
    ]
    columns: Columns = {}
    for k, (part, of_missing) in enumerate(zip(u, random.random((20, n)), strict=True)):
        match k % 7:
            case 0:
                columns[f"normal{k}"] = ndtri(part)
            case 1:
                columns[f"pareto{k}"] = (1.0 - part) ** (-1.0 / 1.5)
            case 2:
                columns[f"codes{k}"] = np.floor(6.0 * part**2)
            case 3:
                columns[f"zeros{k}"] = np.where(part < 0.6, 0.0, np.exp(3.0 * part))
            case 4:
                missing = of_missing < np.where(part > 0.5, 0.4, 0.1)
                columns[f"missing{k}"] = np.where(missing, np.nan, part)
            case 5:
                columns[f"city{k}"] = CITIES[np.searchsorted([0.4, 0.7, 0.9, 0.98], part)]
            case _:
                columns[f"flag{k}"] = (part > 0.97).astype(np.float64)
    return columns


class JointTask(NamedTuple):
    """Trials of one change, or calm windows of one size."""

    name: str
    n: int
    windows: int
    repeat: int


def tasks(scale: float) -> list[JointTask]:
    """40 trials of each change, and 24,000 calm windows."""
    trials = max(4, round(40 * scale))
    out = [JointTask(name, ROWS, trials, 0) for name in CHANGES]
    for n, count in ((100, 6_000), (1_000, 16_000), (10_000, 2_000)):
        repeats = 10
        each = max(5, round(count * scale / repeats))
        out += [JointTask("calm", n, each, repeat) for repeat in range(repeats)]
    return out


class JointFound(NamedTuple):
    """What driftline said: windows with a change of dependence, and with any other violation."""

    task: JointTask
    joint: int
    others: int
    summaries: tuple[str, ...]


def run(task: JointTask, seed: int) -> JointFound:
    """The trials of a task; each first window after a change is a trial of its own."""
    salt = sum(map(ord, task.name))
    random = np.random.default_rng([seed, 7, salt, task.n, task.repeat])
    if task.name == "calm":
        baseline = pair_baseline(factor_model(random, BASELINE_ROWS))
        stream = Stream(baseline, rules("evidence"))
        profiles = windows(baseline, partial(factor_model, random), task)
        found = [verdict.violations for verdict in stream.judged(profiles)]
    else:
        change = CHANGES[task.name]
        baseline = pair_baseline(_with_others(change.before, random, BASELINE_ROWS))
        profiles = windows(baseline, partial(_with_others, change.after, random), task)
        found = [Stream(baseline, rules("evidence")).judge(each).violations for each in profiles]
    checks = [{violation.check for violation in each} for each in found]
    summaries = [v.summary for each in found for v in each if v.check == "joint_drift_check"]
    return JointFound(
        task,
        sum("joint_drift_check" in each for each in checks),
        sum(bool(each - {"joint_drift_check"}) for each in checks),
        tuple(summaries[:1]),
    )


def _with_others(draw: Callable[[Random, int], Columns], random: Random, n: int) -> Columns:
    """The features of a stream, and others up to twenty that do not change."""
    columns = draw(random, n)
    others = list(factor_model(random, n).items())[: 20 - len(columns)]
    return columns | dict(others)


def pair_baseline(columns: Columns) -> Baseline:
    """The baseline of columns, all of which are counted in pairs."""
    table = pa.table({name: _text(values) for name, values in columns.items()})
    baseline = make(lambda: [table], joint=()).baseline
    return baseline.depending(dependence_of([table], baseline))


def _text(values: Values) -> pa.Array:
    if values.dtype.kind != "f":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values, mask=np.isnan(values)).cast(pa.string())


def windows(
    baseline: Baseline, draw: Callable[[int], Columns], task: JointTask
) -> Iterator[Profile]:
    """The counts of the windows of a task, many drawn and counted at a time."""
    counter = Fold([baseline.layout])
    at_once = max(1, ROWS_AT_ONCE // task.n)
    for first in range(0, task.windows, at_once):
        count = min(at_once, task.windows - first)
        columns = {name: _cells(values) for name, values in draw(count * task.n).items()}
        yield from counter.fold(columns, [0] * count, np.arange(count + 1) * task.n)


def _cells(values: Values) -> Column:
    if values.dtype.kind != "f":
        return Texts(pa.array(values.tolist(), pa.string()))
    lost = np.isnan(values)
    slots = np.where(values == np.floor(values), np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    slots[lost] = MISSING
    return Numbers(values, slots if lost.any() else None)


def figures(found: Sequence[JointFound]) -> list[dict[str, Any]]:
    """The sums over the repeats of each stream and size."""
    rows: dict[tuple[str, int], Counter[str]] = {}
    words: dict[tuple[str, int], str] = {}
    for each in found:
        key = each.task.name, each.task.n
        counts = {"windows": each.task.windows, "joint": each.joint, "others": each.others}
        rows.setdefault(key, Counter()).update(counts)
        if each.summaries:
            words.setdefault(key, each.summaries[0])
    return [
        {"stream": key[0], "n": key[1], **counts, "first": words.get(key, "")}
        for key, counts in sorted(rows.items())
    ]
