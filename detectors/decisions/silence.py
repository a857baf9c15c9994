"""The report of a silence of a model, in which nothing is judged."""

from __future__ import annotations

from detectors.report import REPORT_VERSION, WindowReport


def silence_report(
    *,
    id_: str,
    job: str,
    model: str,
    variant: str,
    start_ms: int,
    end_ms: int | None,
    generation: str,
) -> WindowReport:
    """The report of the start of a silence, or of its end; ``end_ms`` is ``None`` at the start."""
    return WindowReport(
        version=REPORT_VERSION,
        id=id_,
        job=job,
        model=model,
        variant=variant,
        start_ms=start_ms,
        end_ms=end_ms,
        revision=int(end_ms is not None),
        state="no data",
        rows=0,
        baseline="-",
        layout="-",
        limits="-",
        generation=generation,
    )
