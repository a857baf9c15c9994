"""Lines of every kind through the real formats and the real reader: ``run`` tells what became of
them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.profiles.profile import Profile
from stream.baselining.columns import ModelColumns
from stream.events import Assign, Partial
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from tests.fuzz import lines
from tests.fuzz.lines import BATCH, Line
from tests.property.test_formats_equal_the_oracle import (
    CAPTURES,
    JSONS,
    MODEL,
    ORIGIN,
    check,
    raw,
    reader,
)
from tests.support.records import NoSource, job_settings

LINES = 1_000_000
PATIENT = job_settings(lateness_ms=1 << 50)
"""Nothing is ever too late: what becomes of a line depends on the line alone, so the parts must add
up to the whole."""
COMPARED = 8
"""One batch in so many is compared with the oracle, and read in the order of marks with a lateness
of two minutes."""

Form = Sagemaker | Json


def patient(form: Form) -> Reader:
    """A reader for which no line is too late."""
    one = Reader(NoSource(), form, ORIGIN, PATIENT)
    one.use(ReadingPlan({"m": ModelColumns(MODEL.outputs, MODEL.inputs, MODEL.layout)}, form))
    return one


def fold(one: Reader, values: Sequence[bytes]) -> Partial:
    """The partial of these lines, which are all that the partition holds."""
    one.assign([Assign(1, "p", 0, None)])
    return one.fold([raw(values)])


def booked(partial: Partial, sent: int) -> Counter[str]:
    """The outcomes of a partial; fails unless each record that was sent has exactly one."""
    [cover] = partial.covers
    outcomes = +Counter(cover.outcomes)
    assert cover.read == sum(outcomes.values()) == sent
    places = [letter.position for letter in partial.dead_letters]
    assert len(set(places)) == len(places) == sent - outcomes["accepted"] - outcomes["too_late"]
    return outcomes


def summed(*partials: Partial) -> dict[tuple[str, str, int], tuple[int, list[int]]]:
    """Rows and counts by model, variant and pane."""
    out: dict[tuple[str, str, int], Profile] = {}
    for partial in partials:
        for key, pane_ms, profile in partial.profiles:
            out.setdefault((*key, pane_ms), Profile(profile.layout)).merge(profile)
    return {place: (profile.rows, profile.counts.tolist()) for place, profile in out.items()}


def verify(form: Form, one: Reader, batch: Sequence[Line]) -> Counter[str]:
    """A batch is booked whole, and its good lines are counted as if the bad ones were not there."""
    whole = fold(one, [line.value for line in batch])
    outcomes = booked(whole, len(batch))
    good = fold(one, [line.value for line in batch if line.whole])
    bad = fold(one, [line.value for line in batch if not line.whole])
    assert booked(good, sum(line.whole for line in batch))["accepted"] == sum(
        line.whole for line in batch
    )
    assert outcomes == booked(good, sum(line.whole for line in batch)) + booked(
        bad, sum(not line.whole for line in batch)
    )
    assert summed(whole) == summed(good, bad)
    return outcomes


def run(count: int = LINES, seed: int = 0) -> dict[str, object]:
    """So many lines, in batches that Hypothesis chooses; the same ones for the same seed."""
    outcomes, compared, began = Counter[str](), 0, time.monotonic()
    forms: list[Form] = [*CAPTURES[:3], *JSONS[:3]]
    for k, form in enumerate(forms):
        one, exact = patient(form), reader(form)
        make = lines.capture if isinstance(form, Sagemaker) else lines.event
        batches = count // len(forms) // BATCH + 1

        @settings(
            max_examples=batches,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.integers(0, 2**48 - 1))
        def each(data: int) -> None:
            nonlocal compared
            batch = lines.batch(data ^ (seed * len(forms) + k), make)  # noqa: B023  # called before the loop goes on
            outcomes.update(verify(form, one, batch))  # noqa: B023
            if data % COMPARED == 0:
                check(form, [line.value for line in batch], exact)  # noqa: B023
                compared += len(batch)

        each()
    return {
        "lines": int(np.sum(list(outcomes.values()))),
        "compared_with_the_oracle": compared,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(outcomes.most_common()),
    }


def guided(runs: int, seed: int = 1) -> dict[str, object]:
    """So many inputs that atheris chooses by what they reach in the formats; raises with its words
    if one fails."""
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.guided",
        f"-runs={runs}",
        f"-seed={seed}",
        "-artifact_prefix=/tmp/driftline-fuzz-",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    if done.returncode or found is None:
        raise AssertionError(done.stdout[-1_000:] + done.stderr[-3_000:])
    inputs, edges, features, kept = map(int, found.groups())
    return {
        "inputs": inputs,
        "edges": edges,
        "features": features,
        "kept": kept,
        "seconds": round(time.monotonic() - began, 1),
    }
