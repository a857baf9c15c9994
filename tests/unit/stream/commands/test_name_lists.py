"""Names in options: with commas, blanks and quotes, as a shell hands them over."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.commands.name_lists import names_in_shell, parse_names

NAMES = st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), min_size=1)


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        ([], ()),
        ([""], ()),
        (["a"], ("a",)),
        ([" a , b c,,d "], ("a", "b c", "d")),
        (["a", "b,c"], ("a", "b", "c")),
        (['"a,b",c'], ("a,b", "c")),
        ([' " a" , "b""c" '], (" a", 'b"c')),
        (["Unnamed: 0"], ("Unnamed: 0",)),
        (["?,-,n/a"], ("?", "-", "n/a")),
    ],
)
def test_names_are_separated_by_commas_outside_of_quotes(
    texts: list[str], names: tuple[str, ...]
) -> None:
    assert parse_names(texts) == names


@pytest.mark.parametrize("text", ['"a', '"a"b', 'a,"b"c,d'])
def test_quotes_that_do_not_surround_a_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in double quotes"):
        parse_names([text])


@given(NAMES)
def test_every_list_of_names_can_be_given_in_a_shell(names: list[str]) -> None:
    (argument,) = shlex.split(names_in_shell(names))
    assert parse_names([argument]) == tuple(names)
