"""The former name of :mod:`tests.support.baselines`."""

from tests.support.baselines import *  # noqa: F403
