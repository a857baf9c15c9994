"""The folder of a run: its paths, and the configuration of the service."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo.captures import ENDPOINT, VARIANT

JOB = "demo"
COOLDOWN = "4h"
"""Longer than any incident that is repaired: only a permanent one causes a reminder."""
MARKER = ".driftline-demo"


class FolderTaken(Exception):
    """The folder holds files that the demo did not create."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not empty and was not created by the demo."
            " Choose another folder with --out, or move it away."
        )


@dataclass(frozen=True)
class Folder:
    """All files of a run, below one path."""

    path: Path

    @property
    def captures(self) -> Path:
        """Requests and responses of the endpoint."""
        return self.path / "captures"

    @property
    def reports(self) -> Path:
        """Reports and signals of driftline, one per line."""
        return self.path / "reports"

    @property
    def config(self) -> Path:
        """The service's configuration."""
        return self.path / "driftline.yaml"

    @property
    def log(self) -> Path:
        """The log of the service."""
        return self.path / "service.log"

    def training(self, number: int) -> Path:
        """The training file of the model with this number."""
        return self.path / f"train-{number}.csv"

    def baseline(self, number: int) -> Path:
        """The baseline learned from the training file with this number."""
        return self.path / f"baseline-{number}"

    def empty(self) -> None:
        """Create the folder, or empty it after an earlier run; raise FolderTaken if it holds
        anything else.
        """
        marker = self.path / MARKER
        if (
            self.path.exists()
            and not marker.exists()
            and (not self.path.is_dir() or any(self.path.iterdir()))
        ):
            raise FolderTaken(self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        self.captures.mkdir(parents=True)
        marker.write_text("created by: python -m demo\n")

    def write_config(self, number: int, port: int) -> None:
        """Write the configuration with the baseline of this number, and metrics on ``port`` of the
        loopback.
        """
        self.config.write_text(yaml.safe_dump(self.settings(number, port), sort_keys=False))

    def settings(self, number: int, port: int) -> dict[str, object]:
        """The content of the configuration file; its paths are relative to its folder.

        ``grace`` is short because events arrive in order. ``idle`` is long because the replayed
        time is not the clock's: a pause while the model is retrained is not silence. Values are
        exposed because the names of carriers are public.
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
