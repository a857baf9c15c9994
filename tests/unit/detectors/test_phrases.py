"""Numbers in sentences: short, and never rounded to a false statement."""

from __future__ import annotations

import pytest

from detectors.phrases import distinguishable, number, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.7825, "78.2 %"),
        (0.218, "21.8 %"),
        (0.9999, "99.99 %"),
        (0.0002, "0.02 %"),
        (1e-9, "0.0000001 %"),
    ],
)
def test_a_share_is_shown_as_0_or_100_percent_only_if_exact(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0631, "0.063"), (9.96, "10"), (-40.0, "-40"), (12345, "12,345")],
)
def test_a_number_has_two_digits_and_no_exponent_where_it_is_large(value: float, text: str) -> None:
    assert number(value) == text


def test_two_different_numbers_are_never_shown_the_same() -> None:
    assert distinguishable(0.41, 0.063) == ("0.41", "0.063")
    assert distinguishable(0.0631, 0.06309) == ("0.0631", "0.06309")
    assert distinguishable(12345.6, 12345.1) == ("12,346", "12,345")
    assert distinguishable(0.1, 0.1) == ("0.1", "0.1")
