"""A way to a server that is shut at first, as if nobody were there."""

import contextlib
import socket
import threading

from tests.servers.base import free_port


class Closed:
    """A port that takes connections and drops them until :meth:`open` lets them through to another
    one."""

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._through, self._ways = threading.Event(), list[socket.socket]()
        self.refused = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self) -> None:
        self._through.set()

    def shut(self) -> None:
        """Drop all connections, and those that come."""
        self._through.clear()
        while self._ways:
            with contextlib.suppress(OSError):
                self._ways.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self._through.is_set():
                self.refused += 1
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._ways += [client, server]
            for one, two in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(one, two), daemon=True).start()

    @staticmethod
    def _copy(one: socket.socket, two: socket.socket) -> None:
        try:
            while data := one.recv(65_536):
                two.sendall(data)
            two.shutdown(socket.SHUT_WR)
        except OSError:
            pass
