"""Coverage-guided input for the formats: ``python -m tests.fuzz.guided -runs=20000 -seed=1``.

Ends with an error at the first fault. The first byte of an input chooses the form, the rest holds
records, one per line. All options are libFuzzer's.
"""

from __future__ import annotations

import sys
from random import Random

import atheris

with atheris.instrument_imports(
    include=[
        "stream.formats",
        "stream.formats.sagemaker.envelope",
        "stream.formats.rows",
        "stream.formats.sagemaker.batches",
        "stream.formats.csv_batch",
    ]
):
    from tests.fuzz import lines
    from tests.fuzz.long import Form, fold, outcomes_of, patient
    from tests.property.test_formats_equal_the_oracle import CAPTURES, JSONS

MAX_BYTES = 4_096
FORMS: list[Form] = [*CAPTURES, *JSONS]
READERS = [patient(form) for form in FORMS]


def one_input(data: bytes) -> None:
    """Check that each record has exactly one outcome, whatever it holds."""
    values = data[1:].split(b"\n")
    outcomes_of(fold(READERS[data[0] % len(READERS)] if data else READERS[0], values), len(values))


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of the inputs are libFuzzer's mutations, half are lines that a sender might write."""
    random = Random(seed)
    if random.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    form = random.randrange(len(READERS))
    make = lines.capture if form < len(CAPTURES) else lines.event
    records = [
        lines.damaged(random, make) if random.random() < 0.7 else make(random)
        for _ in range(random.choice((1, 2, 5)))
    ]
    return (bytes([form]) + b"\n".join(records))[:max_size]


if __name__ == "__main__":
    atheris.Setup(
        [*sys.argv, f"-max_len={MAX_BYTES}", "-verbosity=1"], one_input, custom_mutator=mutated
    )
    atheris.Fuzz()
