"""Changes in the stream of errors: those of river itself, in any batches and across restarts."""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import Any, get_args
from zlib import crc32

import msgspec
import numpy as np
import pytest

from detectors.arrays import Floats, Ints
from detectors.errors import ErrorStateInvalid
from detectors.quality import error_stream
from detectors.quality.error_change import ErrorChange
from detectors.quality.error_detectors import (
    AnyErrorDetector,
    ErrorAdwin,
    ErrorDdm,
    ErrorEddm,
    ErrorHddmA,
    ErrorHddmW,
    ErrorKswin,
    ErrorPageHinkley,
)
from detectors.quality.error_stream import ErrorStream, errors_of
from detectors.quality.rows import LabelledRows

UNIT = 0.8
CLASSES: dict[str, AnyErrorDetector] = {
    **{kind().type: kind() for kind in get_args(AnyErrorDetector)},
    "kswin": ErrorKswin(alpha=1e-4),
    "page_hinkley": ErrorPageHinkley(threshold=20.0),
    "hddm_a_two_sided": ErrorHddmA(two_sided_test=True),
    "hddm_w_two_sided": ErrorHddmW(two_sided_test=True),
    "adwin_clock": ErrorAdwin(clock=32, delta=0.002),
    "page_hinkley_down": ErrorPageHinkley(threshold=20.0, mode="down"),
}
REGRESSION: dict[str, AnyErrorDetector] = {
    "adwin": ErrorAdwin(unit=UNIT),
    "hddm_a": ErrorHddmA(unit=UNIT),
    "hddm_w": ErrorHddmW(unit=UNIT),
    "kswin": ErrorKswin(alpha=1e-4),
    "kswin_unit": ErrorKswin(alpha=1e-4, unit=UNIT),
    "page_hinkley": ErrorPageHinkley(),
    "page_hinkley_unit": ErrorPageHinkley(unit=UNIT, threshold=20.0),
}
CASES = [
    *(pytest.param(detector, False, id=name) for name, detector in CLASSES.items()),
    *(
        pytest.param(detector, True, id=f"{name}_of_numbers")
        for name, detector in REGRESSION.items()
    ),
]


def errors_with_changes(seed: int, segment: int, numbers: bool, segments: int = 6) -> Floats:
    """Errors whose level is low and high in turn."""
    random = np.random.default_rng(seed)
    level = np.tile([0.1, 0.9], segments)[:segments].repeat(segment)
    if numbers:
        return random.exponential(level)
    return (random.random(len(level)) < level).astype(np.float64)


def alarms_of_river(detector: AnyErrorDetector, errors: Floats) -> list[int]:
    """The rows at which a plain loop over river's own class reports a change, from 1."""
    import river.drift.binary

    own = attrgetter(detector.river_class)(river)(**detector.parameters())
    unit = getattr(detector, "unit", None)
    rows = []
    for row, error in enumerate(errors.tolist(), start=1):
        own.update(error if unit is None else min(error, unit) / unit)
        if own.drift_detected:
            rows.append(row)
    return rows


def run(
    detectors: list[AnyErrorDetector], errors: Floats, cuts: list[int], restart: bool
) -> tuple[list[ErrorChange], bytes]:
    """The changes, without their place in a batch, and the last state; a batch ends at each cut."""
    stream = ErrorStream(detectors)
    changes = []
    for start, stop in pairwise([0, *cuts, len(errors)]):
        if restart:
            stream = ErrorStream(detectors, stream.state())
            assert stream.begun == ()
        found = stream.update(errors[start:stop])
        assert [change.index + start + 1 for change in found] == [change.row for change in found]
        changes += [msgspec.structs.replace(change, index=0) for change in found]
    return changes, stream.state()


def segment_of(detector: AnyErrorDetector) -> int:
    return 150 if isinstance(detector, ErrorKswin) else 3_000  # kswin is slow


@pytest.mark.parametrize(("detector", "numbers"), CASES)
def test_the_changes_are_those_of_river_in_any_batches_and_across_restarts(
    detector: AnyErrorDetector, numbers: bool
) -> None:
    errors = errors_with_changes(3, segment_of(detector), numbers)
    whole, state = run([detector], errors, [], restart=False)
    rows = [change.row for change in whole]
    assert rows == alarms_of_river(detector, errors)
    assert rows, "a stream without a change tests nothing"
    near = {row + step for row in rows[:10] for step in (-2, -1, 0, 1, 2, 40)}
    drawn = np.random.default_rng(5).integers(0, len(errors), 40).tolist()
    early = {0, 1, 2, 9, 10, 11, 29, 30, 31, 99, 100, 101, 255, 256, 257}
    cuts = sorted(cut for cut in near | early | set(drawn) if cut <= len(errors))
    assert run([detector], errors, cuts, restart=False) == (whole, state)
    assert run([detector], errors, cuts, restart=True) == (whole, state)


@pytest.mark.parametrize(("detector", "numbers"), CASES)
def test_a_restart_after_each_row_changes_nothing(
    detector: AnyErrorDetector, numbers: bool
) -> None:
    errors = errors_with_changes(4, 130, numbers, segments=4)
    cuts = list(range(len(errors)))
    assert run([detector], errors, cuts, True) == run([detector], errors, [], False)


def test_the_detectors_of_a_stream_do_not_influence_each_other() -> None:
    detectors = list(CLASSES.values())
    errors = errors_with_changes(6, 200, numbers=False)
    changes, _ = run(detectors, errors, [700, 1_400], restart=True)
    alone = [change for each in detectors for change in run([each], errors, [], False)[0]]
    assert [change.row for change in changes] == sorted(change.row for change in changes)
    assert sorted(changes, key=repr) == sorted(alone, key=repr)


@pytest.mark.parametrize("seed", range(3))
def test_adwin_finds_all_changes_of_sine_streams_within_64_rows_and_no_false_one(seed: int) -> None:
    errors = errors_with_changes(2_000 + seed, 20_000, numbers=False, segments=9)
    changes = ErrorStream([ErrorAdwin()]).update(errors)
    delays = [change.row - at * 20_000 for at, change in enumerate(changes, start=1)]
    assert len(changes) == 8
    assert all(0 < delay <= 64 for delay in delays)
    assert [change.rising for change in changes] == [True, False] * 4
    for change in changes:
        low, high = (
            (change.before, change.after) if change.rising else (change.after, change.before)
        )
        assert low == pytest.approx(0.1, abs=0.2)
        assert high == pytest.approx(0.9, abs=0.2)
        assert abs(change.rows_after - (change.row - change.row // 20_000 * 20_000)) <= 10


def test_levels_are_the_means_on_both_sides() -> None:
    errors = np.repeat([0.25, 0.75], [1_000, 1_000])
    (change,) = ErrorStream([ErrorPageHinkley(threshold=5.0)]).update(errors)[:1]
    assert (change.before, change.after) == (0.25, 0.75)
    assert (change.rows_before, change.rows_after) == (1_000, change.row - 1_000)
    assert change.rows == change.row


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_without_a_finite_error_are_counted_and_passed_over(bad: float) -> None:
    errors = errors_with_changes(7, 200, numbers=True)
    holes = np.insert(errors, np.arange(0, len(errors), 3), bad)
    place = np.cumsum(np.isfinite(holes))
    detectors: list[AnyErrorDetector] = [ErrorKswin(alpha=1e-4), ErrorPageHinkley()]
    stream = ErrorStream(detectors)
    found = [(int(place[change.row - 1]), change.detector) for change in stream.update(holes)]
    assert stream.rows == len(holes)
    assert found == [
        (change.row, change.detector) for change in ErrorStream(detectors).update(errors)
    ]


def test_an_infinite_error_counts_as_one_unit() -> None:
    errors = np.repeat([0.0, np.inf], [500, 100])
    (change,) = ErrorStream([ErrorAdwin(unit=UNIT)]).update(errors)
    assert change.before == 0.0
    assert change.after == pytest.approx(UNIT, rel=1e-12)


@pytest.mark.parametrize(
    ("detector", "error"),
    [(ErrorDdm(), 0.5), (ErrorEddm(), 2.0), (ErrorHddmW(), 1.5), (ErrorKswin(), -0.1)],
)
def test_an_error_of_another_kind_is_refused(detector: AnyErrorDetector, error: float) -> None:
    with pytest.raises(ValueError, match="error"):
        ErrorStream([detector]).update(np.array([error]))


def test_errors_of_rows_are_differences_and_leave_withdrawn_rows_out() -> None:
    def column(*values: float) -> Floats:
        return np.array(values, np.float64)

    weight: Ints = np.array([1, 1, -1, 1, 1])
    rows = LabelledRows(
        prediction=column(1, 0, 1, 5, np.nan),
        probability=column(0, 0, 0, 0, 0),
        label=column(1, 1, 0, 2, 1),
        weight=weight,
        delay_ms=weight,
    )
    assert errors_of(rows, "multiclass").tolist() == pytest.approx([0, 1, 1, np.nan], nan_ok=True)
    assert errors_of(rows, "regression").tolist() == pytest.approx([0, 1, 3, np.nan], nan_ok=True)


def test_a_detector_with_another_configuration_begins_anew_and_the_others_continue() -> None:
    errors = errors_with_changes(8, 900, numbers=False)
    before: list[AnyErrorDetector] = [ErrorAdwin(), ErrorDdm()]
    stream = ErrorStream(before)
    stream.update(errors[:1_000])
    after: list[AnyErrorDetector] = [ErrorDdm(drift_threshold=4.0), ErrorAdwin()]
    continued = ErrorStream(after, stream.state())
    assert continued.begun == (after[0],)
    assert continued.rows == 1_000
    assert [
        change.row for change in continued.update(errors[1_000:]) if change.detector == "adwin"
    ] == [row for row in alarms_of_river(ErrorAdwin(), errors) if row > 1_000]


def state_with(**changed: Any) -> bytes:
    """A state of which some parts are replaced; the checksum is that of its payload."""
    parts = dict(
        zip(
            ("version", "river", "checksum", "payload"),
            msgspec.msgpack.decode(ErrorStream([ErrorAdwin(), ErrorKswin()]).state()),
            strict=True,
        )
    )
    parts |= {"checksum": crc32(changed.get("payload", parts["payload"])), **changed}
    return msgspec.msgpack.encode(list(parts.values()))


def with_attributes(attributes: dict[str, Any]) -> bytes:
    stored = [msgspec.to_builtins(ErrorAdwin()), attributes, 0, 0.0, b""]
    return msgspec.msgpack.encode([0, [stored]])


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (b"", "truncated"),
        (b"\xc1 nothing", "malformed"),
        (state_with(version=2), "version 2 of the state, not 1"),
        (state_with(river="0.21.0"), "written by river 0.21.0"),
        (state_with(checksum=1), "checksum differs"),
        (state_with(payload=b"\x90"), "length"),
        (state_with(payload=with_attributes({"delta": 1.0})), r"adwin: attributes \['delta'\]"),
    ],
)
def test_a_state_that_does_not_fit_is_a_named_error(state: bytes, reason: str) -> None:
    with pytest.raises(ErrorStateInvalid, match=reason):
        ErrorStream([ErrorAdwin(), ErrorKswin()], state)


def test_every_damaged_byte_of_a_state_is_a_named_error() -> None:
    stream = ErrorStream([ErrorAdwin(), ErrorHddmW()])
    stream.update(errors_with_changes(9, 300, numbers=False))
    state = stream.state()
    for at in range(0, len(state), 7):
        damaged = state[:at] + bytes([state[at] ^ 0x15]) + state[at + 1 :]
        with pytest.raises(ErrorStateInvalid):
            ErrorStream([ErrorAdwin(), ErrorHddmW()], damaged)


def test_a_state_is_bounded() -> None:
    errors = errors_with_changes(10, 1_000_000, numbers=False, segments=1)
    stream = ErrorStream([ErrorAdwin()])
    stream.update(errors)
    assert len(stream.state()) < 8_192
    for detector in (ErrorDdm(), ErrorEddm(), ErrorHddmA(), ErrorHddmW(), ErrorPageHinkley()):
        stream = ErrorStream([detector])
        stream.update(errors[:10_000])
        assert len(stream.state()) < 3 * 1_024 + 256
    stream = ErrorStream([ErrorKswin()])
    stream.update(errors[:200])
    assert len(stream.state()) < 8_192


def test_an_empty_stream_needs_no_river_object() -> None:
    stream = ErrorStream([])
    assert stream.update(np.ones(3)) == []
    assert ErrorStream([], stream.state()).rows == 3
    assert error_stream.STATE_VERSION == 1
