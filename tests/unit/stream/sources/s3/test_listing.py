"""Listings of a store that is not quite S3."""

from __future__ import annotations

from typing import cast

import pytest

from stream.sources.s3.catalog import Catalog
from stream.sources.s3.client import ObjectInfo, Page, S3Client, S3Error
from stream.sources.s3.watch import Watch


class FirstPageOnly:
    """A store that ignores after which key a page begins."""

    def __init__(self, objects: list[ObjectInfo]) -> None:
        self._objects = objects

    def page(self, after: str) -> Page:
        del after
        return Page(self._objects, more=True)

    def report_success(self) -> None:
        return


@pytest.mark.parametrize("objects", [[], [ObjectInfo("dc/a.jsonl", "e", 1, 0)]])
def test_a_listing_that_does_not_advance_fails_and_does_not_fill_the_memory(
    objects: list[ObjectInfo],
) -> None:
    catalog = Catalog(7_200_000, since_ms=0, latest=False, follow=True)
    watch = Watch(cast("S3Client", FirstPageOnly(objects)), catalog, None, relist_s=60)
    with pytest.raises(S3Error, match="a page repeats another one"):
        list(watch.listing())
