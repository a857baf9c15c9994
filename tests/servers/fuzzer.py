"""atheris: coverage-guided fuzzing of Python; optional, since only some Python versions have
wheels.
"""

import importlib.util


def why_missing() -> str | None:
    """Return why atheris cannot be used here, or None if it can."""
    if importlib.util.find_spec("atheris"):
        return None
    return "python package atheris is not installed (extra `fuzz`)"
