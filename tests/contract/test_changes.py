"""The contract of every change detector in ``detectors/changes/``, and of those that other
distributions offer. A new file is tested by itself.

The laws are in :mod:`stream.testing.change_detector`; what holds only for driftline's own is here.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import msgspec
import pytest

from detectors.changes.base import Change
from detectors.components import find
from stream.testing.change_detector import ChangeDetectorContract

KINDS: dict[str, type[Change]] = find("detectors.changes", Change, "driftline.change_detectors")
ANY = reduce(or_, KINDS.values())

every_kind = pytest.mark.parametrize("name", sorted(KINDS))


class TestChangeDetectors(ChangeDetectorContract):
    @pytest.fixture(params=sorted(KINDS))
    def detector(self, request: pytest.FixtureRequest) -> Change:
        return KINDS[request.param](feature="x")


def test_both_detectors_are_found_by_their_file() -> None:
    assert {"adwin", "page_hinkley"} <= set(KINDS)


@every_kind
def test_the_files_name_is_the_type_in_the_configuration(name: str) -> None:
    change = msgspec.convert({"type": name, "feature": "x", "series": "completeness"}, ANY)
    assert type(change) is KINDS[name]
    assert msgspec.to_builtins(change)["type"] == name
    assert change.key == "x/completeness"


@every_kind
@pytest.mark.parametrize(
    "wrong", [{"series": "mode"}, {"delta": -1.0}, {"delta": "x"}, {"thresh": 1.0}]
)
def test_a_wrong_parameter_is_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": name, "feature": "x", **wrong}, ANY)
