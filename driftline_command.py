"""The program ``driftline``: makes sure that driftline's own packages are imported, and runs it.

The names of driftline's packages are common words. A module of the user with such a name, as
``stream.py``, or with the name of a library, would be imported in its place if it lay in the
working directory or in a folder of ``PYTHONPATH``. This module has a name of its own,
and imports nothing but the standard library before it has looked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

PACKAGES = "stream", "detectors", "sinks"
INTERRUPTED = 130
ROOT = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120  # pathlib is slow to import


def main() -> None:
    """Run the command line; exits the process."""
    try:
        sys.path[:] = isolated(sys.path, os.environ, ROOT)
        for package in PACKAGES:
            if clash := hidden_by(package, ROOT):
                sys.exit(f"driftline: {clash}")
        from stream.cli import main as command

        command(prog_name="driftline")
    except KeyboardInterrupt:
        sys.stderr.write("driftline: interrupted\n")
        sys.exit(INTERRUPTED)


def isolated(path: Iterable[str], environment: Mapping[str, str], root: str) -> list[str]:
    """Return the module search path with the user's folders last, so that they hide no module.

    These are the working directory and the folders of ``PYTHONPATH``. The folder ``root``, of
    driftline itself, keeps its place, as in ``PYTHONPATH=CHECKOUT driftline``.

    >>> isolated(["/mine", "/lib", "/site"], {"PYTHONPATH": "/mine"}, "/site")
    ['/lib', '/site', '/mine']
    >>> isolated(["/checkout", "/lib", "/site"], {"PYTHONPATH": "/checkout"}, "/checkout")
    ['/checkout', '/lib', '/site']
    """
    listed = environment.get("PYTHONPATH", "").split(os.pathsep)
    users = {os.path.realpath(folder) for folder in [*listed, ""]} - {root}
    folders = list(path)
    is_last = [os.path.realpath(folder) in users for folder in folders]
    first = [folder for folder, last in zip(folders, is_last, strict=True) if not last]
    return first + [folder for folder, last in zip(folders, is_last, strict=True) if last]


def hidden_by(package: str, root: str) -> str:
    """Return what hides a package of driftline, in a sentence; empty if nothing does."""
    found = _file_of(package)
    own = os.path.join(root, package, "__init__.py")  # noqa: PTH118  # as above
    if found and os.path.realpath(found) == own:
        return ""
    advice = "Rename it, or take its folder out of the module search path"
    return (
        f"the module {package!r} is {found or 'no file'}, which hides {os.path.dirname(own)}"  # noqa: PTH120  # as above
        f" of driftline. {advice}"
    )


def _file_of(module: str) -> str:
    """The file that a module was or would be imported from; empty without one."""
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None) or ""
    spec = find_spec(module)
    return "" if spec is None else spec.origin or ""


if __name__ == "__main__":
    main()
