"""Alertmanager (Debian's 0.25), which delivers alerts of Prometheus."""

import shutil

from tests.servers.base import DependencyMissing


def why_missing() -> str | None:
    """Return why no Alertmanager can be started here, or None if it and its ``amtool`` can."""
    found = _program() is not None and shutil.which("amtool") is not None
    return None if found else "no alertmanager (Debian package prometheus-alertmanager)"


def program() -> str:
    """Return the path of the program; raises DependencyMissing if it is not installed."""
    path = _program()
    if path is None or why_missing():
        raise DependencyMissing("alertmanager", str(why_missing()))
    return path


def _program() -> str | None:
    """The program has another name in Debian than in a release of the project."""
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
