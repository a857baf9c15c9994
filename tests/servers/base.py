"""What every part shares: where downloads live, free loopback ports, one child process with a log.

Everything listens on 127.0.0.1 only. Downloads live outside the clone, in
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


class PartMissing(Exception):
    """A component that this machine cannot offer; ``part`` is its name, ``reason`` says why."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason


class PartFailed(Exception):
    """A component that is installed but did not start; the text ends with the tail of its log."""


def cache_dir() -> Path:
    """Return the folder for downloads; it may not exist yet."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "driftline"


WORKERS = 8
_given: set[int] = set()


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody listens on now, and that was not returned before.

    The port lies below the kernel's range for outgoing connections: a client that keeps trying a
    closed port inside that range can end up connected to itself. Processes of one test run have
    ports of their own: what is asked for here is bound a second later.
    """
    worker = (
        int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{WORKERS - 1}").removeprefix("gw")) % WORKERS
    )
    for port in random.sample(range(15_000 + worker, 32_000, WORKERS), 200):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise PartFailed("no free port between 15000 and 32000")


def port_answers(port: int) -> bool:
    """Return whether something accepts TCP connections on 127.0.0.1:port."""
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
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = (fields := line.split())[1], fields[3], fields[9]
            if state == "0A" and inode in inodes:
                found.add(_address(local, family))
    return found


def _address(text: str, family: socket.AddressFamily) -> tuple[str, int]:
    """Decode ``0100007F:1F90`` (32-bit words in the machine's order); mapped IPv4 becomes IPv4."""
    words, port = text.split(":")
    raw = b"".join(bytes.fromhex(words[i : i + 8])[::-1] for i in range(0, len(words), 8))
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        raw, family = raw[12:], socket.AF_INET
    return socket.inet_ntop(family, raw), int(port, 16)


class Process:
    """One child process whose output goes to a log file; it dies with the process that started it.

    Start it from a thread that lives as long as it should: the kernel ties the child to the
    starting *thread*.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; RuntimeError when it is not running."""
        if not self.alive or self._child is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
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
        """Start ``command`` and wait until ``ready()``; PartFailed if it ends or takes too long."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
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
                raise PartFailed(
                    f"{self.name} ended with code {self._child.returncode}\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                self.kill9()
                raise PartFailed(
                    f"{self.name} was not ready after {timeout_s:.0f} s\n{self.tail()}"
                )
            time.sleep(0.05)

    def stop(self, grace_s: float = 2.0) -> None:
        """Terminate, wait ``grace_s``, then kill; nothing happens when it does not run."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        """Kill it at once, as a crash would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- {self.log}", *lines[-LOG_TAIL_LINES:]])
