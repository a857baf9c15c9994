"""Picture of the quickstart: ``python -m demo.quickstart_picture docs/explain.svg``.

Runs the commands of the README on a copy of ``docs/quickstart`` and draws the log of the windows
and the end of what ``driftline explain`` prints.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

QUICKSTART = Path(__file__).parents[1] / "docs" / "quickstart"
WIDTH = 100
KEPT = ("window_closed", "signal_raised")
"""Log events that the picture shows."""


def driftline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of driftline in ``folder``, coloured as in a terminal."""
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "stream.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)


def log_lines(log: str) -> list[Text]:
    """The windows and the signal: state or kind, time of day, and what failed."""
    events = [json.loads(line) for line in log.splitlines()]
    return [log_line(event) for event in events if event["event"] in KEPT]


def log_line(event: dict[str, object]) -> Text:
    """One log event, shortened to the width of the picture."""
    reasons = event.get("failed_checks", event.get("reasons", []))
    assert isinstance(reasons, list)
    word = event.get("state", event.get("kind"))
    style = {"ok": "green", "violations": "yellow"}.get(str(word), "bold red")
    names = ", ".join(str(reason).split(":")[0] for reason in reasons)
    return Text.assemble(f"{event['event']:<15}", (f"{word:<12}", style), names)


def draw(path: Path) -> None:
    """Run the quickstart and save the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "quickstart"
        shutil.copytree(QUICKSTART, folder)
        driftline(folder, "baseline", "train.csv", "--out", "baseline", "--predictions", "price")
        log = driftline(folder, "run", "--log", "json", "config.yaml").stderr
        signal = json.loads((folder / "reports" / "signals.jsonl").read_text())
        page = driftline(folder, "explain", signal["report"], "area", "--config", "config.yaml")
    console.print("$ driftline run config.yaml", style="bold")
    for line in log_lines(log):
        console.print(line)
    console.print("$ driftline explain REPORT-ID area --config config.yaml", style="bold")
    for text in page.stdout[page.stdout.index("baseline_drift_check") :].splitlines():
        console.print(Text.from_ansi(text))
    console.save_svg(str(path), title="driftline")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
