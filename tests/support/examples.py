"""The number of examples that a property test draws."""

import os

QUICK = os.environ.get("DRIFTLINE_QUICK") == "1"


def examples(usual: int) -> int:
    """``usual`` examples, or a tenth of them, at least ten, with ``DRIFTLINE_QUICK=1``."""
    return max(usual // 10, 10) if QUICK else usual
