"""``python -m demo``: the whole of driftline on real flights, in about a minute, with nothing but
this machine.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the demo; an interruption while the libraries are still loading ends it as quietly as a
    later one.
    """
    try:
        from demo.cli import main as command

        return command()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
