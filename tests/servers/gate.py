"""A port in front of a server that refuses every connection until it is opened."""

import contextlib
import socket
import threading

from tests.servers.base import LOOPBACK, free_port


class Gate:
    """Listens on ``port`` and drops connections until :meth:`open`, which forwards them to
    ``target``.

    ``refused`` counts the connections that were dropped.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.refused = 0
        self._target = target
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._opened = threading.Event()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self) -> None:
        """Forward connections from now on."""
        self._opened.set()

    def shut(self) -> None:
        """Drop all connections, and refuse new ones."""
        self._opened.clear()
        while self._connections:
            with contextlib.suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._opened.is_set():
                self._connect(client)
            else:
                self.refused += 1
                client.close()

    def _connect(self, client: socket.socket) -> None:
        server = socket.create_connection((LOOPBACK, self._target))
        self._connections += [client, server]
        for ends in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=ends, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
