"""The shortest texts that tell several numbers apart."""

from __future__ import annotations

from collections.abc import Sequence


def different_texts(numbers: Sequence[float]) -> list[str]:
    """Each number in six digits, or in as many more as make all of them different.

    With more than six digits the whole part of each is shown, up to 15 digits.
    """
    different = len(set(numbers))
    whole = len(f"{max(map(abs, numbers), default=0.0):.0f}")
    for digits in (6, *range(min(max(whole, 7), 15), 16)):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == different:
            return texts
    return [repr(number) for number in numbers]
