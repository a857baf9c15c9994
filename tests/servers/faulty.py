"""The former name of :mod:`tests.servers.faulty_proxy`."""

from tests.servers.faulty_proxy import Fault
from tests.servers.faulty_proxy import FaultyProxy as FaultyRoad

__all__ = ["Fault", "FaultyRoad"]
