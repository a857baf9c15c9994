"""How a baseline reads the cells of a column: missing markers, nearly numeric text, booleans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from detectors.errors import BaselineInvalid
from detectors.profiles.layout import BOOLEAN, MISSING, STRING, Feature
from detectors.profiles.profile import Profile
from detectors.profiles.reading import NUMBER_MARKERS, TEXT_MARKERS
from detectors.profiles.vocabulary import known_texts
from stream.baselining.build import BuiltBaseline, make
from stream.errors import ColumnsUnknown

NUMBERS = [str(value) for value in np.random.default_rng(1).normal(50, 5, 400).tolist()]


def built(values: Sequence[str | None], **options: list[str]) -> BuiltBaseline:
    return make(lambda: [pa.table({"x": pa.array(values, pa.string())})], **options)


def only_feature(made: BuiltBaseline) -> Feature:
    [feature] = made.baseline.layout.features
    return feature


def slot(profile: Profile, slot: int) -> int:
    return int(profile.counts[slot])


@pytest.mark.parametrize("marker", [*NUMBER_MARKERS, "", " ", " NA "])
def test_a_marker_among_numbers_is_missing(marker: str) -> None:
    made = built([*NUMBERS, *[marker] * 4])
    assert only_feature(made).type == "Fractional"
    assert slot(made.baseline.profile, MISSING) == 4
    assert slot(made.baseline.profile, STRING) == 0
    assert made.constraints["features"][0]["completeness"] == 400 / 404


def test_other_text_among_numbers_is_unreadable_up_to_a_twentieth() -> None:
    made = built([*NUMBERS[:95], *["Test"] * 5])
    assert only_feature(made).type == "Fractional"
    assert (slot(made.baseline.profile, MISSING), slot(made.baseline.profile, STRING)) == (0, 5)
    assert only_feature(built([*NUMBERS[:94], *["Test"] * 6])).type == "String"


def test_the_kind_of_a_column_can_be_chosen() -> None:
    mixed = [*NUMBERS[:50], *["Test"] * 50]
    assert only_feature(built(mixed, numbers=["x"])).type == "Fractional"
    assert only_feature(built(["7", "8"], text=["x"])).vocabulary == ("7", "8")
    assert only_feature(built(["None", "None"], text=["x"])).vocabulary == ("None",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ["x"], "numbers": ["x"]}, "both text and numbers: 'x'"),
        ({"numbers": ["x"]}, "without a single number, but chosen as numbers: 'x'"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_an_error(
    options: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(BaselineInvalid, match=message):
        built(["a", "b"], **options)


def test_the_name_of_an_unknown_column_is_an_error() -> None:
    for option in ("text", "numbers"):
        with pytest.raises(ColumnsUnknown, match="y"):
            built(["1", "2"], **{option: ["y"]})


def test_a_list_of_markers_replaces_the_default_one() -> None:
    made = built([*NUMBERS, "NA", "absent"], missing=["absent"])
    assert (slot(made.baseline.profile, MISSING), slot(made.baseline.profile, STRING)) == (1, 1)
    without = built([*NUMBERS, "NA"], missing=[])
    assert (slot(without.baseline.profile, MISSING), slot(without.baseline.profile, STRING)) == (
        0,
        1,
    )


@pytest.mark.parametrize("spelling", ["-999", "-999.0", " -999 ", "-9.99e2"])
def test_a_number_as_a_marker_stands_for_its_value(spelling: str) -> None:
    made = built([*NUMBERS, spelling], missing=["-999"])
    assert slot(made.baseline.profile, MISSING) == 1
    assert only_feature(made).low > 0


def test_nan_is_a_number_unless_it_is_listed() -> None:
    assert slot(built([*NUMBERS, "NaN"]).baseline.profile, MISSING) == 0
    assert slot(built([*NUMBERS, "NaN"], missing=["NaN"]).baseline.profile, MISSING) == 1


@pytest.mark.parametrize("marker", [*TEXT_MARKERS, "", "  "])
def test_a_marker_among_words_is_missing(marker: str) -> None:
    made = built(["red", "green", "blue", marker] * 10)
    assert only_feature(made).vocabulary == ("blue", "green", "red")
    assert slot(made.baseline.profile, MISSING) == 10


@pytest.mark.parametrize("word", ["None", "none", "-", "?", "."])
def test_words_and_signs_that_are_often_values_stay_values_in_a_text_feature(word: str) -> None:
    made = built(["red", "green", word] * 10)
    assert word in only_feature(made).vocabulary
    assert slot(made.baseline.profile, MISSING) == 0
    assert slot(built(["red", word], missing=[word]).baseline.profile, MISSING) == 1


def test_the_code_of_namibia_is_a_value_among_codes_of_countries() -> None:
    made = built(["DE", "NA", "FR", "US", ""] * 10)
    assert "NA" in only_feature(made).vocabulary
    assert slot(made.baseline.profile, MISSING) == 10


@pytest.mark.parametrize("marker", ["NA", *NUMBER_MARKERS])
def test_a_column_of_markers_has_no_value_and_reads_them_as_missing(marker: str) -> None:
    made = built([marker, "", None])
    assert made.statistics["features"][0]["inferred_type"] == "Unknown"
    assert marker in only_feature(made).cell_reading.missing
    assert slot(made.baseline.profile, MISSING) == 3


@pytest.mark.parametrize("values", [("True", "False"), ("TRUE", "FALSE"), ("true", "False")])
def test_spellings_of_booleans_are_two_values(values: tuple[str, str]) -> None:
    made = built([*values, "NA"] * 10)
    assert only_feature(made).vocabulary == ("false", "true")
    assert only_feature(made).reading.booleans  # type: ignore[union-attr]
    assert slot(made.baseline.profile, BOOLEAN) == 20
    assert made.constraints["features"][0]["string_constraints"] == {"domains": ["false", "true"]}


@pytest.mark.parametrize(
    "values",
    [
        ("t", "f"),
        ("T", "F"),
        ("yes", "no"),
        ("Y", "N"),
        ("ON", "OFF"),
        ("TRUE", "F"),
        ("WAHR", "FALSCH"),
    ],
)
def test_other_spellings_of_booleans_are_two_values_if_both_occur(
    values: tuple[str, str],
) -> None:
    assert only_feature(built([*values, ""] * 10)).vocabulary == ("false", "true")
    assert only_feature(built([*values], text=["x"])).vocabulary == tuple(sorted(values))


@pytest.mark.parametrize(
    "values", [("F", "M"), ("F",), ("NO", "SE"), ("Y", "N", "?"), ("on", "standby"), ("0", "A")]
)
def test_words_that_may_be_other_values_stay_as_they_are(values: tuple[str, ...]) -> None:
    feature = only_feature(built([*values] * 10))
    assert feature.vocabulary == tuple(sorted(values))
    assert not feature.cell_reading.booleans


def test_true_and_false_beside_other_words_are_the_booleans_of_json() -> None:
    feature = only_feature(built(["True", "False", "Unknown"] * 10))
    assert feature.vocabulary == ("Unknown", "false", "true")
    known = known_texts(feature)
    bins = dict(zip(known.texts, known.bins.tolist(), strict=True))
    assert (bins["true"], bins["False"], bins["Unknown"]) == (2, 1, 0)
    assert not only_feature(built(["True", "Unknown"] * 10)).cell_reading.booleans


def test_a_marker_of_the_user_is_missing_though_it_spells_a_boolean() -> None:
    made = built(["True", "False", "N"] * 10, missing=["N"])
    assert only_feature(made).vocabulary == ("false", "true")
    assert slot(made.baseline.profile, MISSING) == 10


def test_blanks_around_words_do_not_matter() -> None:
    assert only_feature(built(["Private", " Private", "State-gov\t"])).vocabulary == (
        "Private",
        "State-gov",
    )


def test_few_whole_numbers_beyond_two_to_the_53_are_counted_by_their_text() -> None:
    neighbours = ["9007199254740992", "9007199254740993", "7"] * 5
    assert only_feature(built(neighbours)).vocabulary == tuple(sorted(neighbours[:3]))
    assert only_feature(built(["9007199254740991", "7"] * 5)).type == "Integral"
    assert only_feature(built([str(2**53 + k) for k in range(40)])).type == "Integral"
    assert only_feature(built(neighbours, numbers=["x"])).type == "Integral"


def test_a_baseline_knows_the_values_beyond_its_vocabulary() -> None:
    often = ["often"] * 200
    made = built([f" value {k % 1_500} " for k in range(3_000)] + often)
    feature, profile = only_feature(made), made.baseline.profile
    bins = profile.counts[profile.layout.bins(0)]
    assert feature.vocabulary == ("often",)
    assert (int(bins[0]), int(bins[1:65].sum()), int(bins[65:].sum())) == (200, 0, 3_000)
    assert profile.novel == {}
    once = built([f"value {k}" for k in range(1_500)])
    assert only_feature(once).rare_bin is None
