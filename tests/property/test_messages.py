"""A partial is unchanged by the pipe of a reader process, whatever it contains."""

from __future__ import annotations

import math

import msgspec
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
from stream.readers.messages import PartialMessage, decode_for_owner, encode, pack, unpack
from tests.support.examples import examples

LAYOUTS = {
    "a": Layout(
        (
            Feature(
                name="x", type="Fractional", kind="grid", edges=(0.5, 1.5, 2.5), cells=(0, 1, 2, 3)
            ),
        )
    ),
    "b": Layout(
        (
            Feature(name="x", type="Integral", kind="grid", edges=(0.0,), cells=(0, 1)),
            Feature(name="y", type="Integral", kind="grid", edges=(0.5, 1.5), cells=(0, 1, 2)),
        )
    ),
}
FINGERPRINTS = {model: layout.fingerprint for model, layout in LAYOUTS.items()}

integers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**62)
texts = st.text(max_size=8)
positions = st.one_of(counts, st.tuples(texts, counts))
floats = st.floats(allow_nan=False)
children = st.builds(DiscoveredPartition, texts, positions, st.lists(texts, max_size=2).map(tuple))
covers = st.builds(
    CoveredRange,
    partition=texts,
    claim=counts,
    first=positions,
    next=positions,
    mark_ms=st.none() | integers,
    at_end=st.booleans(),
    read=counts,
    outcomes=st.dictionaries(texts, counts, max_size=4),
    dated=counts,
    rows=counts,
    arrival_ms=st.none() | integers,
    ended=st.booleans(),
    children=st.lists(children, max_size=2).map(tuple),
    bytes=st.dictionaries(texts, counts, max_size=4),
)
letters = st.builds(
    DeadLetter,
    partition=texts,
    position=positions,
    reason=texts,
    length=counts,
    sha256=texts,
    payload=st.none() | st.binary(max_size=20),
)
keys = st.builds(ModelKey, st.sampled_from(sorted(LAYOUTS)), texts)
samples = st.builds(Sample, keys, integers, counts, st.binary(max_size=40))
width_mismatches = st.tuples(keys, integers, st.builds(WidthMismatches, counts, counts))
seen = st.builds(SeenIds, texts, integers, st.binary(max_size=24))


@st.composite
def profiles(draw: st.DrawFn) -> tuple[ModelKey, int, Profile]:
    key = draw(keys)
    profile = Profile(LAYOUTS[key.model])
    features = len(profile.layout.features)
    size = profile.layout.size
    sums = draw(st.lists(floats, min_size=2 * features, max_size=2 * features))
    profile.rows = draw(counts)
    profile.counts[:] = draw(st.lists(integers, min_size=size, max_size=size))
    profile.sums[:] = np.reshape(sums, (features, 2))
    profile.low[:] = draw(st.lists(floats, min_size=features, max_size=features))
    profile.high[:] = draw(st.lists(floats, min_size=features, max_size=features))
    values = st.dictionaries(texts, counts, max_size=3)
    for name, unseen in draw(st.dictionaries(st.sampled_from(["x", "y"]), values)).items():
        profile.note_novel(name, unseen)
    return key, draw(integers), profile


partials = st.builds(
    Partial,
    covers=st.lists(covers, max_size=3).map(tuple),
    layouts=st.just(FINGERPRINTS),
    profiles=st.lists(profiles(), max_size=3),
    dead_letters=st.lists(letters, max_size=3),
    samples=st.lists(samples, max_size=2),
    future=counts,
    width_mismatches=st.lists(width_mismatches, max_size=3),
    seen=st.lists(seen, max_size=2),
    unremembered=counts,
    predictions=st.binary(max_size=40),
)


def through_the_pipe(partial: Partial, layouts: dict[str, Layout]) -> Partial:
    message = decode_for_owner(encode(pack(partial, 0.25)))
    assert isinstance(message, PartialMessage)
    assert math.isclose(message.duration_s, 0.25)
    return unpack(message, layouts)


def comparable(partial: Partial) -> Partial:
    """The partial with its profiles as tuples, which compare by content."""
    profiles = [(key, pane_ms, _content(profile)) for key, pane_ms, profile in partial.profiles]
    return msgspec.structs.replace(partial, profiles=profiles)


def _content(profile: Profile) -> tuple[object, ...]:
    arrays = (profile.counts, profile.sums, profile.low, profile.high)
    content = [(array.dtype, array.shape, array.tobytes()) for array in arrays]
    return (profile.rows, profile.layout.fingerprint, profile.novel, *content)


@settings(max_examples=examples(300), deadline=None)
@given(partials)
def test_a_partial_is_unchanged_by_the_pipe(partial: Partial) -> None:
    decoded = through_the_pipe(partial, LAYOUTS)
    assert comparable(decoded) == comparable(partial)
    assert type(decoded.covers) is tuple
    assert all(isinstance(cover, CoveredRange) for cover in decoded.covers)


@settings(max_examples=examples(50), deadline=None)
@given(partials)
def test_a_decoded_profile_can_be_merged_into(partial: Partial) -> None:
    for _, _, profile in through_the_pipe(partial, LAYOUTS).profiles:
        before = profile.counts.copy()
        profile.merge(Profile(profile.layout))
        assert (profile.counts == before).all()


@settings(max_examples=examples(50), deadline=None)
@given(partials)
def test_a_partial_of_other_layouts_loses_its_profiles_and_nothing_else(partial: Partial) -> None:
    decoded = through_the_pipe(partial, {"a": LAYOUTS["b"], "b": LAYOUTS["b"]})
    assert decoded == msgspec.structs.replace(partial, profiles=[])


@settings(max_examples=examples(50), deadline=None)
@given(partials)
def test_fields_of_a_message_are_read_by_name_and_not_by_order(partial: Partial) -> None:
    """A field that another version inserts must not shift the meaning of the fields after it."""
    message = msgspec.msgpack.decode(encode(pack(partial, 0.25)))
    reordered = dict(reversed(message.items()))
    reordered["partial"] = {"inserted": 5, **dict(reversed(message["partial"].items()))}
    decoded = decode_for_owner(msgspec.msgpack.encode(reordered))
    assert isinstance(decoded, PartialMessage)
    assert comparable(unpack(decoded, LAYOUTS)) == comparable(partial)
