"""What the outcome of a schedule must say of segments and pairs."""

from __future__ import annotations

from detectors.report import WindowReport
from tests.simulation.judging import SHOPS_AND_OTHERS, parts
from tests.simulation.reading import SHOPS
from tests.simulation.world import World


def wrong_parts(world: World) -> str:
    """The segments and pairs of each window are those of its counts by value, and so are those of
    the windows that were judged together: a value belongs to one shop.
    """
    for report in world.store.committed.outbox:
        if isinstance(report, WindowReport) and report.pooled and not _is_right(report):
            return f"{report.id} has the parts {parts(report)}, by value {report.rules}"
    return ""


def _is_right(report: WindowReport) -> bool:
    by_shop, table, pooled = parts(report)
    counts = [sum(column) for column in zip(*by_shop, strict=True)]
    together = [int(report.rules[str(value)]) for value in range(len(SHOPS))]
    return (
        sum(counts) == report.rows
        and by_shop == _by_shop(counts)
        and pooled == _by_shop(together)
        and table == [[*row[: len(SHOPS_AND_OTHERS) - 1], 0, 0] for row in _transposed(counts)]
    )


def _by_shop(counts: list[int]) -> list[list[int]]:
    return [
        [count if shop == each else 0 for each, count in zip(SHOPS, counts, strict=True)]
        for shop in SHOPS_AND_OTHERS
    ]


def _transposed(counts: list[int]) -> list[list[int]]:
    return [list(column) for column in zip(*_by_shop(counts), strict=True)]
