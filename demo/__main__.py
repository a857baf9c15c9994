"""``python -m demo``: driftline on real flights, in about a minute, without network."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the demo; Ctrl-C ends it without a traceback, also while the libraries are loading."""
    try:
        from demo.cli import main as command

        return command()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
