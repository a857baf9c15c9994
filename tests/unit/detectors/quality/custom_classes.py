"""Classes of custom metrics, good ones and broken ones."""

from typing import Any

import numpy as np

from detectors.quality.custom import CustomBatch


class Cost:
    """The mean cost of the errors: 10 for a miss, 1 for a false alarm."""

    larger_is = "worse"

    def __init__(self) -> None:
        self.total = 0
        self.rows = 0

    def update(self, batch: CustomBatch) -> None:
        cost = np.where(batch.label > batch.prediction, 10, batch.prediction > batch.label)
        self.total += int((cost * batch.weight).sum())
        self.rows += int(batch.weight.sum())

    def merge(self, other: "Cost") -> None:
        self.total += other.total
        self.rows += other.rows

    def value(self) -> float | None:
        return self.total / self.rows if self.rows else None


class ByLabel(Cost):
    """Rows by label, in every kind of value that can be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.table = np.zeros((2, 2))
        self.by_name: dict[str, list[int]] = {}
        self.wide = 2**80
        self.note: str | None = None

    def update(self, batch: CustomBatch) -> None:
        np.add.at(self.table, (batch.label.astype(int), batch.prediction.astype(int)), batch.weight)
        self.by_name = {"rows": [int(batch.weight.sum())]}

    def merge(self, other: "ByLabel") -> None:  # type: ignore[override]
        self.table += other.table
        self.by_name["rows"] += other.by_name["rows"]

    def value(self) -> float:
        return float(self.table[1, 0]) if self.wide == 2**80 else -1.0


class FailsAtUpdate(Cost):
    def update(self, batch: CustomBatch) -> None:
        raise ValueError(f"secret {batch.label}")


class ExitsAtUpdate(Cost):
    def update(self, batch: CustomBatch) -> None:
        raise SystemExit(3)


class KeepsAllRows(Cost):
    def update(self, batch: CustomBatch) -> None:
        self.rows_seen = [0.5] * 150_000


class ChangesTheRows(Cost):
    def update(self, batch: CustomBatch) -> None:
        batch.label[:] = 7.0


class FailsAtMerge(Cost):
    def merge(self, other: Any) -> None:
        raise KeyError("secret")


class FailsAtValue(Cost):
    def value(self) -> float:
        raise ZeroDivisionError


class NotANumber(Cost):
    def value(self) -> float:
        return float("nan")


class BecomesASet(Cost):
    def update(self, batch: CustomBatch) -> None:
        self.seen = {1.0}


class StartsWithASet(Cost):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[float] = set()


class WithoutValue:
    def update(self, batch: CustomBatch) -> None: ...

    def merge(self, other: Any) -> None: ...


class NeedsAnArgument(Cost):
    def __init__(self, price: float) -> None:
        super().__init__()
        self.price = price


A_NUMBER = 1
