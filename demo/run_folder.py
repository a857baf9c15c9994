"""The folder of a run: where everything lies, and the service's configuration in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo.captures import ENDPOINT, VARIANT

JOB = "demo"
COOLDOWN = "4h"
"""Longer than any incident that is repaired, so that only what stays is told again."""
MARK = ".driftline-demo"


class FolderTaken(Exception):
    """The folder holds something that the demo did not make."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not empty and was not made by the demo. Name another folder with --out, or"
            " move it away."
        )


@dataclass(frozen=True)
class Folder:
    """Everything that a run leaves behind, below one path."""

    path: Path

    @property
    def captures(self) -> Path:
        """What the endpoint was asked and what it answered."""
        return self.path / "captures"

    @property
    def reports(self) -> Path:
        """What driftline had to say: a line a window, a line a signal."""
        return self.path / "reports"

    @property
    def config(self) -> Path:
        """The service's configuration."""
        return self.path / "driftline.yaml"

    @property
    def log(self) -> Path:
        """What the service logged."""
        return self.path / "service.log"

    def training(self, number: int) -> Path:
        """The training file of the model that was deployed as this number."""
        return self.path / f"train-{number}.csv"

    def baseline(self, number: int) -> Path:
        """The baseline made from it."""
        return self.path / f"baseline-{number}"

    def empty(self) -> None:
        """Make the folder, without what an earlier run left; raises FolderTaken if it holds
        anything else.
        """
        mark = self.path / MARK
        if (
            self.path.exists()
            and not mark.exists()
            and (not self.path.is_dir() or any(self.path.iterdir()))
        ):
            raise FolderTaken(self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        self.captures.mkdir(parents=True)
        mark.write_text("made by: python -m demo\n")

    def write_config(self, number: int, port: int) -> None:
        """Write the configuration with the baseline of this number; metrics are served on ``port``
        of the loopback.
        """
        self.config.write_text(yaml.safe_dump(self.settings(number, port), sort_keys=False))

    def settings(self, number: int, port: int) -> dict[str, object]:
        """The configuration as it stands in the file; paths start at its folder.

        ``grace`` is short, since the events come in order. ``idle`` is long, since the replayed
        time is not the clock's: a pause while the model is trained again is not silence.
        ``expose_values``: the names of carriers are no secret.
        """
        return {
            "job": JOB,
            "state": {"path": "state.sqlite"},
            "source": {"type": "jsonl", "path": self.captures.name, "follow": True},
            "format": {"type": "sagemaker"},
            "model": {"from": "const", "name": ENDPOINT},
            "variant": {"from": "const", "name": VARIANT},
            "window": "10m",
            "grace": "2s",
            "idle": "1h",
            "models": {ENDPOINT: {"baseline": self.baseline(number).name}},
            "rules": {"cooldown": COOLDOWN},
            "sinks": [{"type": "prometheus"}, {"type": "jsonl", "path": self.reports.name}],
            "http": {"host": "127.0.0.1", "port": port},
            "dead_letters": {"path": "dead-letters.jsonl"},
            "expose_values": True,
        }
