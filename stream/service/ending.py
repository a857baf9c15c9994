"""Tells how a job ended that read its source to the end: what it found, counted and judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from detectors.phrases import counted
from detectors.report import WindowReport
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.ledger import Ledger
from stream.outcomes import ACCEPTED, DUPLICATE, advice

NOTHING_FOUND: Final = 10
"""Exit code when the source holds no record."""
NOTHING_COUNTED: Final = 11
"""Exit code when there were records, and none of them was accepted."""
NOTHING_JUDGED: Final = 12
"""Exit code when events were accepted, and no window was judged."""


class Ending(NamedTuple):
    """The exit code of a job, and a sentence for people where there is more to say."""

    code: int
    text: str = ""


class RunTally:
    """Counts what a run adds to the ledger of its job, and the states of the windows it reports."""

    def __init__(self, ledger: Ledger, labels: LabelLedger | None = None) -> None:
        self._before = _outcomes(ledger)
        self._labels_before = _labels_read(labels)
        self._states: Counter[str] = Counter()
        self._judged = False

    def report(self, report: WindowReport) -> None:
        """Count a report."""
        if report.state != "no data":
            self._states[report.state] += 1
        self._judged |= report.state in ("ok", "violations", "no inputs") or (
            report.state == "incomplete"
            and (
                bool(report.violations)
                or any(feature.verdict in ("ok", "violation") for feature in report.features)
            )
        )

    def ending(
        self, ledger: Ledger, source: str, state: str, labels: LabelLedger | None = None
    ) -> Ending:
        """Return the ending of a run that has read its source to the end.

        ``source`` and ``state`` name both in the sentence. A run that found new labels alone ends
        without a sentence.
        """
        after = _outcomes(ledger)
        read = after - self._before
        if not after:
            return Ending(NOTHING_FOUND, f"nothing found: {source} has no records")
        if not after[ACCEPTED]:
            return Ending(NOTHING_COUNTED, _nothing_counted(read or after, new=bool(read)))
        if not read or set(read) == {DUPLICATE}:
            new_labels = _labels_read(labels) > self._labels_before
            return Ending(0, "" if new_labels else _nothing_new(state))
        if not read[ACCEPTED]:
            return Ending(NOTHING_COUNTED, _nothing_counted(read, new=True))
        return Ending(0) if self._judged else Ending(NOTHING_JUDGED, self._nothing_judged(read))

    def _nothing_judged(self, read: Counter[str]) -> str:
        events = counted(read[ACCEPTED], "event")
        states = ", ".join(f"{count} {state!r}" for state, count in sorted(self._states.items()))
        windows = f"the windows are {states}" if states else "no window was reported"
        advice = "The `notes` of the reports say why"
        if self._states["insufficient"]:
            advice = (
                "A longer `window`, or a lower `rules.min_n` where `rules.mode` reads it, judges"
                " fewer events"
            )
        if self._states["learning"]:
            advice = (
                "A baseline was being learned (`learn`): windows that begin after it is complete"
                " are judged"
            )
        return f"nothing judged: {events} accepted, and {windows}. {advice}"


def _outcomes(ledger: Ledger) -> Counter[str]:
    """The records of all partitions by outcome."""
    total: Counter[str] = Counter()
    for account in ledger.partitions.values():
        total.update(account.outcomes)
    return +total  # without the outcomes that no record has


def _labels_read(labels: LabelLedger | None) -> int:
    return 0 if labels is None else sum(labels.read.values())


def _nothing_counted(outcomes: Mapping[str, int], *, new: bool) -> str:
    records = counted(sum(outcomes.values()), "record")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(outcomes.items()))
    told = "nothing counted" if new else "nothing new: everything was read before"
    return (
        f"{told}; of {records} none was accepted: {reasons}. {advice(outcomes)}. After that,"
        " `driftline run --from-start` reads them again"
    )


def _nothing_new(state: str) -> str:
    return (
        f"nothing new: everything was read before (state {state}). To read it again:"
        " `driftline run --from-start`, or remove the state"
    )
