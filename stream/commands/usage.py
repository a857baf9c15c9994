"""Errors of the command line, for arguments that turn out to be wrong once data are read."""

from __future__ import annotations

import click


def wrong_option(name: str, message: str) -> click.BadParameter:
    """Return the error of a value that an option or argument cannot have."""
    context = click.get_current_context(silent=True)
    return click.BadParameter(message, ctx=context, param_hint=f"'{name}'")


def wrong_usage(message: str) -> click.UsageError:
    """Return the error of options that do not go together."""
    return click.UsageError(message, ctx=click.get_current_context(silent=True))
