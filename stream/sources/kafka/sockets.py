"""Closes sockets that could not be connected: kafka-python leaves them to the garbage collector.

While a broker refuses connections, each attempt of each client left one: hundreds in some minutes.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from kafka.net.inet import KafkaNetSocket

DIRECT = "direct"
"""The scheme under which kafka-python finds the class below: as that of a proxy."""


class ClosingSocket(KafkaNetSocket):  # type: ignore[misc]  # the client ships no types
    """Connects without a proxy, and closes the socket if that fails."""

    SCHEMES = (DIRECT,)

    async def sock_connect(self, net: Any, sock: socket.socket, *args: Any, **more: Any) -> Any:
        """Return the connected socket; raises the errors of the client."""
        try:
            return await super().sock_connect(net, sock, *args, **more)
        except BaseException:
            sock.close()
            raise


def socket_settings(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the setting of a client for closing its sockets; none if it connects through a proxy.

    >>> socket_settings({"proxy_url": "socks5://proxy:1080"})
    {}
    """
    if options.get("proxy_url") or options.get("socks5_proxy"):
        return {}
    return {"proxy_url": f"{DIRECT}://"}
