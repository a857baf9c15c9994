"""Contract suites for components, and builders of their input, for tests in any distribution; may
import every package of `stream` except `cli`, and is imported by none. Needs pytest.

A component of another distribution is held to the same laws as driftline's own: subclass the
contract of its kind in a test module, and override the fixture that returns the component.

==================  ==============================================================
kind                contract
==================  ==============================================================
source              :class:`stream.testing.source.SourceContract`
format              :class:`stream.testing.format.FormatContract`
label format        :class:`stream.testing.label_format.LabelFormatContract`
sink                :class:`stream.testing.sink.SinkContract`
distance            :class:`stream.testing.distance.DistanceContract`
change detector     :class:`stream.testing.change_detector.ChangeDetectorContract`
check               :class:`stream.testing.check.CheckContract`
==================  ==============================================================

Each law is one test method. A subclass may add tests, and must not remove any.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "stream.testing needs pytest. Install it with: pip install 'driftline[testing]'"
    ) from error

_SUITES = (
    *("change_detector", "check", "configuration", "distance", "format", "label_format", "sink"),
    "source",
)
pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in _SUITES))
