"""The checks by name: those of this folder, and those that other distributions offer."""

from __future__ import annotations

from typing import Final

from detectors.components import find
from detectors.decisions.checks.base import Check
from detectors.violation import Violation

_CLASSES = find("detectors.decisions.checks", Check, "driftline.checks")
CHECKS: Final[dict[str, Check]] = {name: _CLASSES[name](name) for name in sorted(_CLASSES)}
"""Every check, by the name that its violations carry: the six of SageMaker Model Monitor, three of
driftline's own, and entry points of ``driftline.checks``."""

_ANY: Final = Check("")


def size_of(violation: Violation) -> float:
    """The size of a violation, as its check measures it; see :meth:`Check.size`."""
    return CHECKS.get(violation.check, _ANY).size(violation)
