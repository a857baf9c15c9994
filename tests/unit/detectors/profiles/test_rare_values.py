"""Known values beyond a vocabulary: which are kept, where they are counted, and their name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET, msgpack
from msgspec.structs import replace

from detectors.errors import LayoutInvalid
from detectors.profiles.binning import MAX_WORDS, rare_values, text_feature
from detectors.profiles.columns import Texts
from detectors.profiles.domains import allowed_bins, domain_problem
from detectors.profiles.fold import Fold, fold
from detectors.profiles.layout import HASHED_BINS, HEAD, Feature, Layout
from detectors.profiles.rare_values import MAX_RARE, RareValues
from detectors.profiles.reading import CellReading

OFTEN = {f"often {k}": 9 for k in range(MAX_WORDS)}
RARE = {f"rare {k}": 2 for k in range(300)}
FEATURE = text_feature("t", "feature", OFTEN | RARE, CellReading())
LAYOUT = Layout((FEATURE,))


def counted(layout: Layout, texts: list[str]) -> list[int]:
    counts = fold(layout, {"t": Texts(pa.array(texts, pa.string()))}).counts
    return [int(count) for count in counts[layout.bins(0)]]


def filter_of(feature: Feature) -> RareValues:
    assert isinstance(feature.rare, RareValues)
    return feature.rare


@pytest.mark.parametrize("times", [1, 300], ids=["a small group", "a large group"])
def test_rare_values_share_a_bin_and_unseen_ones_keep_theirs(times: int) -> None:
    texts = ["rare 0", "rare 299", "often 5", "new", " rare 1 "] * times
    bins = counted(LAYOUT, texts)
    assert bins[FEATURE.vocabulary.index("often 5")] == times
    assert bins[-1] == 3 * times
    assert sum(bins[MAX_WORDS:-1]) == times
    profile = Fold([LAYOUT]).fold({"t": Texts(pa.array(texts))}, [0], np.array([0, len(texts)]))[0]
    assert list(profile.novel["t"]) == ["new"], "a rare value is known"


def test_each_model_of_a_batch_has_its_own_rare_values() -> None:
    other = Layout((text_feature("t", "feature", OFTEN | {"new": 2, "newer": 2}),))
    texts = Texts(pa.array(["rare 0", "new", "newer"] * 2))
    first, second = Fold([LAYOUT, other]).fold({"t": texts}, [0, 1], np.array([0, 3, 6]))
    assert first.counts[LAYOUT.bins(0)][-1] == 1
    assert second.counts[other.bins(0)][-1] == 2


def test_a_vocabulary_with_room_for_all_values_has_no_filter() -> None:
    assert text_feature("t", "feature", OFTEN).rare is UNSET
    assert text_feature("t", "feature", OFTEN).bins == MAX_WORDS + HASHED_BINS


def test_identifiers_that_occur_once_have_no_filter() -> None:
    assert text_feature("t", "feature", dict.fromkeys(map(str, range(5_000)), 1)).rare is UNSET


def test_a_filter_keeps_the_most_frequent_values_up_to_its_size() -> None:
    values = [(f"value {k}", 5 if k < 100 else 2) for k in range(MAX_RARE + 100)]
    rare = rare_values(values)
    assert isinstance(rare, RareValues)
    assert MAX_RARE - 5 <= len(rare.keys) // 4 <= MAX_RARE, "equal keys are stored once"
    feature = Feature(name="t", type="String", kind="text", rare=rare)
    bins = counted(Layout((feature,)), [value for value, _ in values])
    assert MAX_RARE <= bins[-1] <= MAX_RARE + 5


def test_the_share_that_may_be_new_is_that_of_values_seen_once_and_its_error() -> None:
    rare = rare_values([("a", 4), ("b", 2), *((f"once {k}", 1) for k in range(94))])
    assert isinstance(rare, RareValues)
    assert rare.new_share == pytest.approx(1.0)
    rare = rare_values([("a", 1_000), ("b", 2), *((f"once {k}", 1) for k in range(34))])
    assert isinstance(rare, RareValues)
    assert rare.new_share == pytest.approx((34 + 2 * 6) / 1_036)


def test_the_cell_of_rare_values_is_known_and_has_a_name_that_no_value_has() -> None:
    layout = Layout((replace(FEATURE, vocabulary=("rare values", "x")),))
    labels = layout.cell_labels(0)
    assert (labels[0], labels[-1]) == ('"rare values"', "rare values")
    assert len(set(labels)) == len(labels) == 2 + HASHED_BINS + 1
    assert layout.unseen.tolist() == [False, False, *[True] * HASHED_BINS, False]
    assert layout.rare.tolist() == [*[False] * (2 + HASHED_BINS), True]
    assert layout.lone_bins(0).tolist() == [HEAD, HEAD + 1], "many values share the bin"


def test_a_rare_value_of_a_domain_allows_the_rare_values() -> None:
    rare_bin = HEAD + MAX_WORDS + HASHED_BINS
    assert allowed_bins(LAYOUT, 0, ("often 0", "rare 5")).tolist()[-1] == rare_bin
    assert domain_problem(FEATURE, tuple(OFTEN | RARE)) == ""


def test_a_feature_without_rare_values_is_encoded_as_before() -> None:
    plain = Feature(name="t", type="String", kind="text", vocabulary=("a",))
    assert b"rare" not in msgpack.encode(plain)
    assert msgpack.decode(msgpack.encode(FEATURE), type=Feature) == FEATURE


@pytest.mark.parametrize(
    ("rare", "reason"),
    [
        (RareValues(b"", 0.0), "one or more"),
        (RareValues(b"12345", 0.0), "one or more"),
        (RareValues(b"bbbbaaaa", 0.0), "rise"),
        (RareValues(b"aaaabbbb", 1.5), "new_share"),
    ],
)
def test_a_damaged_filter_is_refused(rare: RareValues, reason: str) -> None:
    with pytest.raises(LayoutInvalid, match=reason):
        Layout((replace(FEATURE, rare=rare),))


def test_the_filter_holds_the_upper_halves_of_hashes_in_rising_order() -> None:
    keys = np.frombuffer(filter_of(FEATURE).keys, "<u4")
    assert len(keys) == len(RARE)
    assert np.all(np.diff(keys.astype(np.int64)) > 0)


def test_markers_and_spellings_are_no_rare_values() -> None:
    layout = Layout((replace(FEATURE, reading=CellReading(missing=("rare 1",))),))
    assert counted(layout, ["rare 1", "rare 2"])[-1] == 1
