"""The former name of :mod:`tests.servers.poison`."""

from tests.servers.poison import MARK, MOST, serve, serve_greedy, serve_unread

__all__ = ["MARK", "MOST", "serve", "serve_greedy", "serve_unread"]
