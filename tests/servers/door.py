"""The former name of :mod:`tests.servers.gate`."""

from tests.servers.gate import Gate as Closed

__all__ = ["Closed"]
