"""docker-compose and hadolint, which check the Compose file and Dockerfile without an engine."""

from pathlib import Path

from tests.servers.base import DependencyMissing, cache_dir

PROGRAMS = ("docker-compose", "hadolint")


def folder() -> Path:
    """Return the virtual environment that ``python -m tests.servers.setup`` creates for them."""
    return cache_dir() / "linters"


def why_missing() -> str | None:
    """Return why the linters cannot be run here, or None if they can."""
    absent = [name for name in PROGRAMS if not (folder() / "bin" / name).exists()]
    return f"{', '.join(absent)} not installed: python -m tests.servers.setup" if absent else None


def program(name: str) -> Path:
    """Return the path of a program; raises DependencyMissing if it is not installed."""
    if reason := why_missing():
        raise DependencyMissing("linters", reason)
    return folder() / "bin" / name
