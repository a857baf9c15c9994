"""The group of all commands: the messages and exit codes of the errors that end them."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from detectors.errors import DetectorError
from stream.errors import DriftlineError
from stream.telemetry.terminal_text import printable

if TYPE_CHECKING:
    from stream.config.environment import Environment

OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C, by the convention of shells."""


class CommandGroup(click.Group):
    """A group of commands that end with a message and an exit code for known errors."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program; a full disk below its output ends it with a message."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in OUTPUT_ERRORS or error.filename is not None:
                raise
            # Python writes what is left of the output when it exits, and would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            complain(f"the output cannot be written: {error.strerror}")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DriftlineError as error:
            complain(str(error))
            ctx.exit(error.exit_code)
        except DetectorError as error:
            complain(str(error))
            ctx.exit(2)
        except KeyboardInterrupt:
            complain("interrupted")
            ctx.exit(INTERRUPTED)


def complain(text: str, prefix: str = "driftline") -> None:
    """Print a message on stderr.

    It has no content of a secret file, and no characters that would control the terminal.
    """
    click.echo(f"{prefix}: {printable(without_secrets(text))}", err=True)


def without_secrets(text: str) -> str:
    """Return text with references instead of the content of secret files."""
    context = click.get_current_context(silent=True)
    redaction = context.find_root().obj if context else None
    return redaction.text(text) if redaction is not None else text


def keep_secret(environment: Environment) -> None:
    """Keep what this configuration reads from secret files out of messages."""
    click.get_current_context().find_root().obj = environment.redaction
