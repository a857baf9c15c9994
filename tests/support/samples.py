"""The former name of :mod:`tests.support.reports`."""

from tests.support.reports import *  # noqa: F403
