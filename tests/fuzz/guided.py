"""Coverage-guided bytes for the formats: ``python -m tests.fuzz.guided -runs=20000 -seed=1``; ends
with an error at the first fault.

The first byte chooses the form, the rest are records, one a line. All options are libFuzzer's.
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
    from tests.fuzz.long import Form, booked, fold, patient
    from tests.property.test_formats_equal_the_oracle import CAPTURES, JSONS

MOST_BYTES = 4_096
FORMS: list[Form] = [*CAPTURES, *JSONS]
READERS = [patient(form) for form in FORMS]


def one_input(data: bytes) -> None:
    """Whatever comes, each record is booked once."""
    values = data[1:].split(b"\n")
    booked(fold(READERS[data[0] % len(READERS)] if data else READERS[0], values), len(values))


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """Half of the inputs are libFuzzer's own, half begin with a line that a sender might write."""
    random = Random(seed)
    if random.random() < 0.5:
        return bytes(atheris.Mutate(data, most))
    form = random.randrange(len(READERS))
    make = lines.capture if form < len(CAPTURES) else lines.event
    some = [
        lines.spoilt(random, make) if random.random() < 0.7 else make(random)
        for _ in range(random.choice((1, 2, 5)))
    ]
    return (bytes([form]) + b"\n".join(some))[:most]


if __name__ == "__main__":
    atheris.Setup(
        [*sys.argv, f"-max_len={MOST_BYTES}", "-verbosity=1"], one_input, custom_mutator=mutated
    )
    atheris.Fuzz()
