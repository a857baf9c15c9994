"""Usage errors of the command line that are found only after data have been read."""

from __future__ import annotations

import click


def wrong_option(name: str, message: str) -> click.BadParameter:
    """Return the error of an option or argument with an invalid value."""
    context = click.get_current_context(silent=True)
    return click.BadParameter(message, ctx=context, param_hint=f"'{name}'")


def wrong_usage(message: str) -> click.UsageError:
    """Return the error of options that cannot be combined."""
    return click.UsageError(message, ctx=click.get_current_context(silent=True))
