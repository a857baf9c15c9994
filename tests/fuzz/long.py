"""Lines of every kind through the real formats and the real reader."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as random_seed
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
PATIENT = job_settings(lateness_ms=1 << 50, tolerance_ms=1 << 50)
"""No event is too late, and none is dated ahead: outcome and pane of a line depend on the line
alone, so that the counts of two parts must add up to those of the whole."""
COMPARED = 8
"""One batch in this number is compared with the oracle, with a lateness of two minutes."""

Form = Sagemaker | Json


def patient(form: Form) -> Reader:
    """A reader to which no line is too late."""
    tolerant = Reader(NoSource(), form, ORIGIN, PATIENT)
    tolerant.use(ReadingPlan({"m": ModelColumns(MODEL.outputs, MODEL.inputs, MODEL.layout)}, form))
    return tolerant


def fold(tolerant: Reader, values: Sequence[bytes]) -> Partial:
    """The partial of these lines, which are all records of the partition."""
    tolerant.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    return tolerant.fold([raw(values)])


def outcomes_of(partial: Partial, sent: int) -> Counter[str]:
    """The outcomes in a partial; fails unless each sent record has exactly one."""
    [cover] = partial.covers
    outcomes = +Counter(cover.outcomes)
    assert cover.read == sum(outcomes.values()) == sent
    positions = [letter.position for letter in partial.dead_letters]
    assert (
        len(set(positions)) == len(positions) == sent - outcomes["accepted"] - outcomes["too_late"]
    )
    return outcomes


def summed(*partials: Partial) -> dict[tuple[str, str, int], tuple[int, list[int]]]:
    """Rows and counts by model, variant and pane."""
    profiles: dict[tuple[str, str, int], Profile] = {}
    for partial in partials:
        for key, pane_ms, profile in partial.profiles:
            profiles.setdefault((*key, pane_ms), Profile(profile.layout)).merge(profile)
    return {key: (profile.rows, profile.counts.tolist()) for key, profile in profiles.items()}


def verify(tolerant: Reader, batch: Sequence[Line]) -> Counter[str]:
    """Check that the intact lines of a batch count as if the damaged ones were not there."""
    whole = fold(tolerant, [line.value for line in batch])
    intact = [line.value for line in batch if line.intact]
    damaged = [line.value for line in batch if not line.intact]
    good = fold(tolerant, intact)
    bad = fold(tolerant, damaged)
    outcomes = outcomes_of(whole, len(batch))
    good_outcomes = outcomes_of(good, len(intact))
    assert good_outcomes["accepted"] == len(intact)
    assert outcomes == good_outcomes + outcomes_of(bad, len(damaged))
    assert summed(whole) == summed(good, bad)
    return outcomes


def run(count: int = LINES, seed: int = 0, size: int = BATCH) -> dict[str, object]:
    """Check ``count`` lines, in batches that depend on the seed; return figures and outcomes.

    Small batches find faults at the end of a batch; large ones check more lines per second.
    """
    outcomes = Counter[str]()
    compared = 0
    began = time.monotonic()
    forms: list[Form] = [*CAPTURES[:3], *JSONS[:3]]
    for k, form in enumerate(forms):
        tolerant = patient(form)
        exact = reader(form)
        make = lines.capture if isinstance(form, Sagemaker) else lines.event
        batches = count // len(forms) // size + 1

        @random_seed(seed * len(forms) + k)
        @settings(
            max_examples=batches,
            deadline=None,
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(batch_seed=st.integers(0, 2**48 - 1))
        def check_batch(batch_seed: int) -> None:
            nonlocal compared
            batch = lines.batch(batch_seed, make, size)  # noqa: B023  # called before the next iteration
            outcomes.update(verify(tolerant, batch))  # noqa: B023
            if batch_seed % COMPARED == 0:
                check(form, [line.value for line in batch], exact)  # noqa: B023
                compared += len(batch)

        check_batch()
    return {
        "lines": int(np.sum(list(outcomes.values()))),
        "compared_with_the_oracle": compared,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(outcomes.most_common()),
    }


def guided(runs: int, seed: int = 1) -> dict[str, object]:
    """Check ``runs`` inputs that atheris chooses by the code that they reach in the formats.

    Raises ``AssertionError`` with its output if one fails.
    """
    began = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.guided",
        f"-runs={runs}",
        f"-seed={seed}",
        "-artifact_prefix=/tmp/driftline-fuzz-",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    summary = re.search(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)", result.stderr)
    if result.returncode or summary is None:
        raise AssertionError(result.stdout[-1_000:] + result.stderr[-3_000:])
    inputs, edges, features, kept = map(int, summary.groups())
    return {
        "inputs": inputs,
        "edges": edges,
        "features": features,
        "kept": kept,
        "seconds": round(time.monotonic() - began, 1),
    }
