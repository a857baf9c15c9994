"""Code shared by all servers: the download cache, free loopback ports, a child process with a log.

Every server listens on 127.0.0.1 only. Downloads are kept outside of the clone, in
``${XDG_CACHE_HOME:-~/.cache}/driftline``.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOG_TAIL_LINES = 40
LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""


class DependencyMissing(Exception):
    """A server, tool or data set that this machine does not have, with the reason."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class ServerFailed(Exception):
    """A server that is installed but did not start; the text ends with the tail of its log."""


def cache_dir() -> Path:
    """Return the folder of downloads; it may not exist yet."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "driftline"


WORKERS = 8
"""Worker processes of one test run that have ports of their own."""
_returned: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now and was not returned before.

    The port lies below the kernel's range for outgoing connections: a client that retries a closed
    port inside that range can connect to itself. Each worker process of a test run draws from
    ports of its own, because a port is bound only some time after it was returned.
    """
    name = os.environ.get("PYTEST_XDIST_WORKER", f"gw{WORKERS - 1}")
    worker = int(name.removeprefix("gw")) % WORKERS
    for port in random.sample(range(15_000 + worker, 32_000, WORKERS), 200):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _returned:
            _returned.add(port)
            return port
    raise ServerFailed("no free port between 15000 and 32000")


def port_answers(port: int) -> bool:
    """Return whether 127.0.0.1:port accepts TCP connections."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Return every (address, port) on which process ``pid`` listens, IPv4 and IPv6, from /proc."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(fd.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    addresses = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENING and inode in inodes:
                addresses.add(_address(local, family))
    return addresses


def _address(text: str, family: socket.AddressFamily) -> tuple[str, int]:
    """Decode ``0100007F:1F90`` (32-bit words in native order); mapped IPv4 becomes IPv4."""
    words, port = text.split(":")
    raw = b"".join(bytes.fromhex(words[i : i + 8])[::-1] for i in range(0, len(words), 8))
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        raw = raw[12:]
        family = socket.AF_INET
    return socket.inet_ntop(family, raw), int(port, 16)


class Process:
    """A child process whose output goes to a log file; it ends with the process that started it.

    The kernel ties the child to the *thread* that started it: start it from a thread that lives
    as long as the child should.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; raises RuntimeError while the process is not running."""
        if not self.alive or self._child is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the child is running."""
        return self._child is not None and self._child.poll() is None

    def start(
        self,
        command: Sequence[str],
        ready: Callable[[], bool],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        """Start ``command`` and wait until ``ready()``.

        Raises ServerFailed if the process ends before that, or is not ready after ``timeout_s``.
        """
        if self.alive:
            raise RuntimeError(f"{self.name} is running already")
        tie = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                [*tie, *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=None if env is None else dict(env),
                cwd=cwd,
            )
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._child.poll() is not None:
                raise ServerFailed(
                    f"{self.name} ended with code {self._child.returncode}\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                self.kill9()
                raise ServerFailed(
                    f"{self.name} was not ready after {timeout_s:.0f} s\n{self.tail()}"
                )
            time.sleep(0.05)

    def stop(self, grace_s: float = 2.0) -> None:
        """Terminate the process, wait ``grace_s``, then kill it; do nothing if it never started."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        """Kill the process immediately, as a crash would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- {self.log}", *lines[-LOG_TAIL_LINES:]])
