"""Reports and signals like those of the judge, with numbers that are easy to check by hand."""

from __future__ import annotations

from typing import Any

from detectors.report import (
    REPORT_VERSION,
    SIGNAL_VERSION,
    FeatureReport,
    Figures,
    Signal,
    SignalledFeature,
    WindowReport,
)
from detectors.violation import BinShift, Violation

START_MS = 1_750_000_020_000
MINUTE_MS = 60_000


def feature(name: str = "amount", **changes: Any) -> FeatureReport:
    """A drifted number, PSI 0.3 with a limit of 0.1.

    Its 100 rows are 10 missing values, 6 strings, 4 NaN, and 80 numbers whose sum is 400.
    """
    defaults: dict[str, Any] = {
        "name": name,
        "role": "input",
        "type": "Fractional",
        "n": 100,
        "missing": 10,
        "completeness": 0.9,
        "nan": 4,
        "inf": 0,
        "types": {"integral": 20 / 90, "fractional": 60 / 90, "boolean": 0.0, "string": 6 / 90},
        "mean": 5.0,
        "std": 2.0,
        "sum": 400.0,
        "min": -1.0,
        "max": 9.0,
        "outlier_share": 0.05,
        "distances": {"psi": 0.3, "ks": 0.25, "l_infinity": None},
        "deciding": "psi",
        "value": 0.3,
        "limit": 0.1,
        "noise": 0.02,
        "asked_limit": 0.1,
        "enabled": True,
        "verdict": "violation",
        "baseline": figures(),
    }
    return FeatureReport(**{**defaults, **changes})


def figures(**changes: Any) -> Figures:
    """The numbers of a column in a baseline of 1,000 rows, 20 of them without a value."""
    defaults: dict[str, Any] = {
        "n": 1_000,
        "missing": 20,
        "completeness": 0.98,
        "types": {"integral": 0.25, "fractional": 0.75, "boolean": 0.0, "string": 0.0},
        "mean": 4.0,
        "std": 1.5,
        "min": -2.0,
        "max": 8.0,
    }
    return Figures(**{**defaults, **changes})


def calm(name: str = "carrier", **changes: Any) -> FeatureReport:
    """A calm text of 100 rows without missing values, PSI 0.05 with a limit of 0.1."""
    text: dict[str, Any] = dict.fromkeys(("mean", "std", "sum", "min", "max", "outlier_share"))
    text |= {
        "type": "String",
        "missing": 0,
        "completeness": 1.0,
        "nan": 0,
        "types": {"string": 1.0},
        "baseline": figures(types={"string": 1.0}, **dict.fromkeys(("mean", "std", "min", "max"))),
    }
    text |= {
        "distances": {"psi": 0.05, "ks": None, "l_infinity": 0.04},
        "value": 0.05,
        "verdict": "ok",
    }
    return feature(name, **{**text, **changes})


def violation(name: str = "amount", **changes: Any) -> Violation:
    """A violation: PSI three times its limit, with one shifted bin."""
    defaults: dict[str, Any] = {
        "feature": name,
        "check": "baseline_drift_check",
        "statistic": "psi",
        "value": 0.3,
        "limit": 0.1,
        "n": 100,
        "description": "The distance is above its limit.",
        "moved": (
            BinShift(
                label="[1, 2)",
                before=0.1,
                after=0.4,
                before_count=10,
                after_count=40,
                contribution=0.2,
            ),
        ),
    }
    return Violation(**{**defaults, **changes})


def report(window: int = 0, revision: int = 0, **changes: Any) -> WindowReport:
    """Minute number ``window`` of model ``flights`` in job ``sample``: a drifted number and a calm
    text.
    """
    start_ms = START_MS + window * MINUTE_MS
    defaults: dict[str, Any] = {
        "version": REPORT_VERSION,
        "job": "sample",
        "model": "flights",
        "variant": "AllTraffic",
        "start_ms": start_ms,
        "end_ms": start_ms + MINUTE_MS,
        "revision": revision,
        "state": "violations",
        "rows": 100,
        "baseline": "b0",
        "layout": "l0",
        "features": (feature(), calm()),
        "violations": (violation(),),
        "profile": b"\x00counts\xff",
    }
    fields = {**defaults, **changes}
    name = "/".join(
        str(fields[part])
        for part in ("job", "model", "variant", "start_ms", "end_ms", "baseline", "revision")
    )
    return WindowReport(**{"id": name, **fields})


def silence(window: int = 1, ended: bool = False, **changes: Any) -> WindowReport:
    """A report of no data from minute ``window`` on; with ``ended``, for that minute only."""
    start_ms = START_MS + window * MINUTE_MS
    empty: dict[str, Any] = {
        "state": "no data",
        "rows": 0,
        "features": (),
        "violations": (),
        "profile": b"",
        "baseline": "-",
    }
    return report(
        window,
        int(ended),
        **{**empty, "end_ms": start_ms + MINUTE_MS if ended else None, **changes},
    )


def signalled(name: str = "amount") -> SignalledFeature:
    """The numbers of a drifted feature in a signal."""
    return SignalledFeature(
        name=name,
        verdict="violation",
        statistic="psi",
        value=0.3,
        limit=0.1,
        window=figures(n=100, missing=10, completeness=0.9, mean=5.0),
        baseline=figures(),
    )


def signal(number: int = 0, kind: str = "opened", **changes: Any) -> Signal:
    """Signal number ``number`` of model ``flights``, whose amount drifted."""
    defaults: dict[str, Any] = {
        "version": SIGNAL_VERSION,
        "id": f"sample/flights/AllTraffic/e{number}/{kind}",
        "dedupe_id": f"d{number}-{kind}",
        "kind": kind,
        "episode": f"e{number}",
        "job": "sample",
        "model": "flights",
        "variant": "AllTraffic",
        "start_ms": START_MS,
        "end_ms": START_MS + MINUTE_MS,
        "first_violation_ms": START_MS,
        "baseline": "b0",
        "report": report().id,
        "features": ("amount",),
        "reasons": (violation(),),
        "figures": (signalled(),),
    }
    return Signal(**{**defaults, **changes})
