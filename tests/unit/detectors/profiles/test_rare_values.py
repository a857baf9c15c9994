"""Known values beyond a vocabulary: which are kept, where they are counted, and their name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET, msgpack
from msgspec.structs import replace

from detectors.errors import LayoutInvalid
from detectors.profiles.binning import text_feature
from detectors.profiles.columns import Texts
from detectors.profiles.domains import allowed_bins, domain_problem
from detectors.profiles.fold import Fold, fold
from detectors.profiles.layout import HASHED_BINS, HEAD, Feature, Layout
from detectors.profiles.rare_values import MAX_RARE, RareValues
from detectors.profiles.reading import CellReading
from detectors.profiles.vocabulary_choice import rare_values
from tests.oracle import hash_of

WORDS = 200
OFTEN = {f"often {k}": 500 for k in range(WORDS)}
RARE = {f"rare {k}": 2 for k in range(300)}
FEATURE = text_feature("t", "feature", OFTEN | RARE, CellReading())
LAYOUT = Layout((FEATURE,))
AFTER_HASHED = WORDS + HASHED_BINS


def counted(layout: Layout, texts: list[str]) -> list[int]:
    counts = fold(layout, {"t": Texts(pa.array(texts, pa.string()))}).counts
    return [int(count) for count in counts[layout.bins(0)]]


def filter_of(feature: Feature) -> RareValues:
    assert isinstance(feature.rare, RareValues)
    return feature.rare


def of_0_1_0(feature: Feature) -> Feature:
    """The same feature with a filter that does not say what it owes to luck."""
    rare = filter_of(feature)
    return replace(feature, rare=RareValues(rare.keys, rare.new_share))


@pytest.mark.parametrize("times", [1, 300], ids=["a small group", "a large group"])
def test_rare_values_have_bins_by_their_hash_and_unseen_ones_keep_theirs(times: int) -> None:
    texts = ["rare 0", "rare 299", "often 5", "new", " rare 1 "] * times
    bins = counted(LAYOUT, texts)
    assert bins[FEATURE.vocabulary.index("often 5")] == times
    expected = [0] * HASHED_BINS
    for value in ("rare 0", "rare 299", "rare 1"):
        expected[hash_of(value) >> 58] += times
    assert bins[AFTER_HASHED:] == expected
    assert sum(bins[WORDS:AFTER_HASHED]) == times
    profile = Fold([LAYOUT]).fold({"t": Texts(pa.array(texts))}, [0], np.array([0, len(texts)]))[0]
    assert list(profile.novel["t"]) == ["new"], "a rare value is known"


@pytest.mark.parametrize("times", [1, 300], ids=["a small group", "a large group"])
def test_rare_values_of_0_1_0_share_a_bin(times: int) -> None:
    bins = counted(Layout((of_0_1_0(FEATURE),)), ["rare 0", "rare 299", "often 5", "new"] * times)
    assert len(bins) == AFTER_HASHED + 1
    assert bins[-1] == 2 * times
    assert sum(bins[WORDS:-1]) == times


def test_each_model_of_a_batch_has_its_own_rare_values() -> None:
    other = Layout((text_feature("t", "feature", OFTEN | {"new": 2, "newer": 2}),))
    old = Layout((of_0_1_0(FEATURE),))
    texts = Texts(pa.array(["rare 0", "new", "newer"] * 3))
    fold = Fold([LAYOUT, other, old])
    first, second, third = fold.fold({"t": texts}, [0, 1, 2], np.array([0, 3, 6, 9]))
    assert sum(first.counts[LAYOUT.bins(0)][AFTER_HASHED:]) == 1
    assert sum(second.counts[other.bins(0)][AFTER_HASHED:]) == 2
    assert third.counts[old.bins(0)][-1] == 1


def test_a_vocabulary_with_room_for_all_values_has_no_filter() -> None:
    assert text_feature("t", "feature", OFTEN).rare is UNSET
    assert text_feature("t", "feature", OFTEN).bins == AFTER_HASHED


def test_identifiers_that_occur_once_have_no_filter() -> None:
    assert text_feature("t", "feature", dict.fromkeys(map(str, range(5_000)), 1)).rare is UNSET


def test_a_filter_keeps_the_most_frequent_values_those_of_equal_counts_together() -> None:
    several = [(f"value {k}", 5 - k // 20_000) for k in range(MAX_RARE + 10_000)]
    rare = rare_values(several)
    assert isinstance(rare, RareValues)
    assert 60_000 - 5 <= len(rare.keys) // 4 <= 60_000, "equal keys are stored once"
    assert rare.lucky == 20_000 * 3, "those of the smallest count that is kept"
    assert rare.variance == 15_536 * 2 + 20_000 * 3 + 3 * 20_000 * 4
    feature = Feature(name="t", type="String", kind="text", rare=rare)
    bins = counted(Layout((feature,)), [value for value, _ in several])
    assert 60_000 <= sum(bins[HASHED_BINS:]) <= 60_005
    assert rare_values([(f"value {k}", 2) for k in range(MAX_RARE + 1)]) is UNSET


def test_counts_that_are_not_exact_leave_more_to_luck() -> None:
    values = [("a", 9), ("b", 3), ("c", 3), ("d", 2), ("e", 2), ("f", 1)]
    exact, estimated = rare_values(values), rare_values(values, exact=False)
    assert isinstance(exact, RareValues)
    assert isinstance(estimated, RareValues)
    assert (exact.lucky, exact.variance) == (1, 1 + 4)
    assert (estimated.lucky, estimated.variance) == (5, 5 + 2 * 6)


def test_the_share_that_may_be_new_is_that_of_values_seen_once_and_its_error() -> None:
    rare = rare_values([("a", 4), ("b", 2), *((f"once {k}", 1) for k in range(94))])
    assert isinstance(rare, RareValues)
    assert rare.new_share == pytest.approx(1.0)
    rare = rare_values([("a", 1_000), ("b", 2), *((f"once {k}", 1) for k in range(34))])
    assert isinstance(rare, RareValues)
    assert rare.new_share == pytest.approx((34 + 2 * 6) / 1_036)


def test_the_cells_of_rare_values_are_known_and_have_names_that_no_value_has() -> None:
    layout = Layout((replace(FEATURE, vocabulary=("rare values", "rare values #3")),))
    labels = layout.cell_labels(0)
    assert (labels[0], labels[1], labels[-1]) == (
        '"rare values"', '"rare values #3"', "rare values #63",
    )  # fmt: skip
    assert len(set(labels)) == len(labels) == 2 + 2 * HASHED_BINS
    known, hashed = [False, False], [True] * HASHED_BINS
    assert layout.unseen.tolist() == [*known, *hashed, *[False] * HASHED_BINS]
    assert layout.rare.tolist() == [*known, *[False] * HASHED_BINS, *hashed]
    assert layout.lone_bins(0).tolist() == [HEAD, HEAD + 1], "many values share the bins"
    assert Layout((of_0_1_0(FEATURE),)).cell_labels(0)[-1] == "rare values"


def test_a_rare_value_of_a_domain_allows_those_of_its_bin() -> None:
    allowed = allowed_bins(LAYOUT, 0, ("often 0", "rare 5")).tolist()
    assert allowed[-1] == HEAD + AFTER_HASHED + (hash_of("rare 5") >> 58)
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
    assert sum(counted(layout, ["rare 1", "rare 2"])[AFTER_HASHED:]) == 1
