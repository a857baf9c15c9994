"""The configuration of a command that opens none of the job's sources and sinks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.config.model import Config


def loaded_config(path: Path) -> Config:
    """Load a configuration with its baselines; its environment variables need not be set."""
    from stream.baselining.configured import baselines_check
    from stream.commands.command_group import keep_secret
    from stream.config.environment import Environment
    from stream.config.load import load

    environment = Environment(needed=False)
    keep_secret(environment)
    return load(path, environment, [baselines_check])
