"""Formats numbers for sentences: of violations and diagnoses, and of commands."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share as a percentage with one decimal; with more where it would round to 0 or 100.

    >>> percent(0.7831), percent(1.0), percent(0.9997), percent(0.0)
    ('78.3 %', '100 %', '99.97 %', '0 %')
    """
    for decimals in range(1, 12):
        text = f"{share * 100:.{decimals}f}".rstrip("0").rstrip(".")
        if text not in ("0", "100") or share in (0.0, 1.0):
            break
    return f"{text} %"


def number(value: float, digits: int = 2) -> str:
    """A number in ``digits`` significant digits, without an exponent where it is large.

    >>> number(0.4127), number(12.3), number(99.7), number(3600.4), number(-17.78, 3)
    ('0.41', '12', '100', '3,600', '-17.8')
    """
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def counted(count: int, noun: str) -> str:
    """Format a number with its noun.

    >>> counted(1, "partition"), counted(12_000, "record")
    ('1 partition', '12,000 records')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def distinguishable(value: float, limit: float) -> tuple[str, str]:
    """Two numbers in two digits; in more where two different numbers would look equal.

    >>> distinguishable(0.4127, 0.0632), distinguishable(0.06341, 0.06316)
    (('0.41', '0.063'), ('0.0634', '0.0632'))
    """
    for digits in range(2, 18):
        texts = number(value, digits), number(limit, digits)
        if texts[0] != texts[1] or value == limit:
            break
    return texts


def java_number(value: float) -> str:
    """A finite number as Java writes a double: an exponent below 0.001 and from 10 million on.

    >>> java_number(0.515453080147537), java_number(8.080858763541535e-4), java_number(12345678.0)
    ('0.515453080147537', '8.080858763541535E-4', '1.2345678E7')
    >>> java_number(-3), java_number(1e-10), java_number(0.0), java_number(1e16)
    ('-3.0', '1.0E-10', '0.0', '1.0E16')
    """
    text = repr(float(value))
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return text
    sign, digits, exponent = _scientific(text)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def escaped(text: str) -> str:
    r"""Text with the characters that do not print as their codes: they could control a terminal.

    >>> escaped("a\x1b[2J\n")
    'a\\x1b[2J\\n'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _scientific(text: str) -> tuple[str, str, int]:
    """The sign of a number, its digits without zeros at their ends, and its decimal exponent."""
    sign = "-" if text.startswith("-") else ""
    mantissa, _, power = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(power or 0) + len(whole) - 1
    digits = (whole + fraction).lstrip("0")
    exponent -= len(whole + fraction) - len(digits)
    return sign, digits.rstrip("0"), exponent


def in_segment(feature: str, segment: str) -> str:
    """How a feature of a segment is named; one of all rows, without a segment, as it is.

    >>> in_segment("area", "country = BR"), in_segment("area", "")
    ('area where country = BR', 'area')
    """
    return f"{feature} where {segment}" if segment else feature
