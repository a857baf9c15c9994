"""The folder of a run: its paths, and the configuration of the service."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo.captures import ENDPOINT, VARIANT
from demo.flights import LABEL
from demo.labels import ID, KNOWN_AT

JOB = "demo"
COOLDOWN = "4h"
"""Longer than any incident that is repaired: only a permanent one causes a reminder."""
HORIZON = "36h"
"""Longer than the label of any flight takes that is reported one day late."""
COVERAGE = 0.8
"""A window's quality is judged once this share of its flights have a label."""
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
    def labels(self) -> Path:
        """True delays of the flights, in files by the time at which they are known."""
        return self.path / "labels"

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

    def held_out(self, number: int) -> Path:
        """Predictions and true delays of flights that the model was not fitted on."""
        return self.path / f"held-out-{number}.csv"

    def quality(self, number: int) -> Path:
        """The baseline of the model's quality, made from its held-out flights."""
        return self.path / f"quality-{number}"

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
        self.labels.mkdir()
        marker.write_text("created by: python -m demo\n")

    def write_config(self, number: int, port: int) -> None:
        """Write the configuration with the baseline of this number, and metrics on ``port`` of the
        loopback.
        """
        self.config.write_text(yaml.safe_dump(self.settings(number, port), sort_keys=False))

    def settings(self, number: int, port: int) -> dict[str, object]:
        """The content of the configuration file; its paths are relative to its folder.

        ``grace`` is short because events arrive in order. ``idle`` is long because the replayed
        time is not the clock's: a pause while the model is retrained is not silence. Labels come in
        each window for those of many hours before, so that all of these would be reported again
        every few minutes: ``revise_every`` is long. Values are exposed because the names of
        carriers are public.
        """
        return {
            "job": JOB,
            "state": {"path": "state.sqlite"},
            "source": {"type": "jsonl", "path": self.captures.name, "follow": True},
            "format": {"type": "sagemaker"},
            "model": {"from": "const", "name": ENDPOINT},
            "variant": {"from": "const", "name": VARIANT},
            "window": "5m",
            "grace": "2s",
            "idle": "1h",
            "labels": {
                "source": {"type": "jsonl", "path": self.labels.name, "follow": True},
                "format": {"type": "json", "id": ID, "label": LABEL, "time": {"path": KNOWN_AT}},
                "join": "inference_id",
                "horizon": HORIZON,
            },
            "models": {
                ENDPOINT: {
                    "baseline": self.baseline(number).name,
                    "quality": {
                        "problem": "regression",
                        "prediction": "prediction",
                        "baseline": self.quality(number).name,
                        "metrics": ["rmse", "mae"],
                        "judge_at": {"coverage": COVERAGE},
                        "revise_every": "2h",
                    },
                }
            },
            "rules": {"cooldown": COOLDOWN},
            "sinks": [
                {"type": "prometheus"},
                # The demo follows the files.
                {"type": "jsonl", "path": self.reports.name, "compress": False},
            ],
            "http": {"host": "127.0.0.1", "port": port},
            "dead_letters": {"path": "dead-letters.jsonl"},
            "expose_values": True,
        }
