"""atheris: coverage-guided fuzzing of Python. Optional, since it has wheels for some versions of
Python alone."""

import importlib.util

WHEEL = "atheris==3.0.0"


def why_missing() -> str | None:
    """Return why atheris cannot be used here, or None when it can."""
    return (
        None
        if importlib.util.find_spec("atheris")
        else "python package atheris is not installed (extra `fuzz`)"
    )
