"""What goes through the pipe of a reader process comes out as it went in, whatever it is."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from stream.events import (
    CoveredRange,
    DeadLetter,
    DiscoveredPartition,
    ModelKey,
    Partial,
    Sample,
    SeenIds,
    WidthMismatches,
)
from stream.readers.messages import PartialMessage, encode, packed, unpacked, word_of
from tests.support.examples import examples

LAYOUTS = {
    "a": Layout((Feature("x", "Fractional", "grid", edges=(0.5, 1.5, 2.5), cells=(0, 1, 2, 3)),)),
    "b": Layout(
        (
            Feature("x", "Integral", "grid", edges=(0.0,), cells=(0, 1)),
            Feature("y", "Integral", "grid", edges=(0.5, 1.5), cells=(0, 1, 2)),
        )
    ),
}
FINGERPRINTS = {model: layout.fingerprint for model, layout in LAYOUTS.items()}

whole = st.integers(-(2**63), 2**63 - 1)
natural = st.integers(0, 2**62)
words = st.text(max_size=8)
positions = st.one_of(natural, st.tuples(words, natural))
floats = st.floats(allow_nan=False)
children = st.builds(DiscoveredPartition, words, positions, st.lists(words, max_size=2).map(tuple))
covers = st.builds(
    CoveredRange,
    words, natural, positions, positions, st.none() | whole, st.booleans(), natural,
    st.dictionaries(words, natural, max_size=4), natural, natural, st.none() | whole, st.booleans(),
    st.lists(children, max_size=2).map(tuple), st.dictionaries(words, natural, max_size=4),
)  # fmt: skip
letters = st.builds(
    DeadLetter, words, positions, words, natural, words, st.none() | st.binary(max_size=20)
)
keys = st.builds(ModelKey, st.sampled_from(sorted(LAYOUTS)), words)
samples = st.builds(Sample, keys, natural, st.binary(max_size=40))
width_mismatches = st.tuples(keys, whole, st.builds(WidthMismatches, natural, natural))


@st.composite
def profiles(draw: st.DrawFn) -> tuple[ModelKey, int, Profile]:
    key = draw(keys)
    out = Profile(LAYOUTS[key.model])
    features = len(out.layout.features)
    out.rows = draw(natural)
    out.counts[:] = draw(st.lists(whole, min_size=out.layout.size, max_size=out.layout.size))
    out.sums[:] = np.reshape(
        draw(st.lists(floats, min_size=2 * features, max_size=2 * features)), (features, 2)
    )
    out.low[:] = draw(st.lists(floats, min_size=features, max_size=features))
    out.high[:] = draw(st.lists(floats, min_size=features, max_size=features))
    out.novel = draw(
        st.dictionaries(
            st.sampled_from(["x", "y"]), st.dictionaries(words, natural, max_size=3), max_size=2
        )
    )
    return key, draw(whole), out


partials = st.builds(
    Partial,
    st.lists(covers, max_size=3).map(tuple),
    st.just(FINGERPRINTS),
    st.lists(profiles(), max_size=3),
    st.lists(letters, max_size=3),
    st.lists(samples, max_size=2),
    natural,
    st.lists(width_mismatches, max_size=3),
    st.lists(st.builds(SeenIds, words, whole, st.binary(max_size=24)), max_size=2),
    natural,
)


def through_the_pipe(partial: Partial, layouts: dict[str, Layout]) -> Partial:
    made = word_of(encode(packed(partial, 0.25)))
    assert isinstance(made, PartialMessage)
    assert math.isclose(made.took_s, 0.25)
    return unpacked(made, layouts)


def plain(partial: Partial) -> Partial:
    """The partial with its profiles as the bytes of their parts."""

    def parts(one: Profile) -> tuple[object, ...]:
        vectors = (one.counts, one.sums, one.low, one.high)
        return (
            one.rows,
            one.layout.fingerprint,
            one.novel,
            *((part.dtype, part.shape, part.tobytes()) for part in vectors),
        )

    plain = [(key, pane_ms, parts(profile)) for key, pane_ms, profile in partial.profiles]
    return partial._replace(profiles=plain)  # type: ignore[arg-type]


@settings(max_examples=examples(300), deadline=None)
@given(partials)
def test_a_partial_comes_out_as_it_went_in(partial: Partial) -> None:
    got = through_the_pipe(partial, LAYOUTS)
    assert plain(got) == plain(partial)
    assert type(got.covers) is tuple
    assert all(isinstance(cover, CoveredRange) for cover in got.covers)


@settings(max_examples=examples(50), deadline=None)
@given(partials)
def test_a_profile_that_came_through_can_be_added_to(partial: Partial) -> None:
    for _, _, profile in through_the_pipe(partial, LAYOUTS).profiles:
        before = profile.counts.copy()
        profile.merge(Profile(profile.layout))
        assert (profile.counts == before).all()


@settings(max_examples=examples(50), deadline=None)
@given(partials)
def test_counted_with_another_layout_it_comes_without_profiles_and_still_says_what_it_covers(
    partial: Partial,
) -> None:
    got = through_the_pipe(partial, {"a": LAYOUTS["b"], "b": LAYOUTS["b"]})
    assert got == partial._replace(profiles=[])
