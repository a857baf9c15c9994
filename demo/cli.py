"""The command ``python -m demo``: its options, its order, its exit code."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from demo.flights import FlightsAbsent, load, split
from demo.incidents import FIVE
from demo.model import fit
from demo.replay import Replay, ServiceStalled, deploy
from demo.run_folder import Folder, FolderTaken
from demo.screen import Screen
from demo.service import Service, ServiceFailed
from demo.summary import conclude
from demo.traffic import WINDOWS, Traffic

INTERRUPTED = 130
HELP = """\
Replays New York's flights of 2013 with their weather (public domain) as the traffic of a small model that predicts
the delay on arrival. The flights are shuffled once and spread evenly over two days, so that nothing drifts unless the demo
makes it drift. A third of them is what the model was trained on.

On the way: the humidity is null for three hours; the departure hour is written "7.0"; United's flights vanish; the
weather comes in Celsius; and, for good, a new departure system tells the delay in seconds.

The service is the real one (driftline run), reading SageMaker capture files as they are written. The retrain job listens
to its signals: what is repaired within the cool-down of four hours needs no new model, what is not does."""
END = """\
exit codes: 0 all incidents found and nothing false told; 1 not so; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demonstration; returns the exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen(WINDOWS)
    try:
        return play(options, screen)
    except KeyboardInterrupt:
        screen.say("Interrupted. The service has been stopped; what it wrote is still there.")
        return INTERRUPTED
    except (FlightsAbsent, FolderTaken, ServiceFailed, ServiceStalled) as error:
        screen.say(str(error), "red")
        return 1


def play(options: argparse.Namespace, screen: Screen) -> int:
    """Prepare, replay, conclude."""
    folder = Folder(options.out)
    folder.empty()
    port = options.port or free_port()
    screen.say("Reading the flights of 2013 and training a model on a third of them ...")
    training, replayed = split(load())
    model = fit(training)
    screen.say(
        f"{len(training):,} flights for model and baseline, {len(replayed):,} to replay; RMSE"
        f" {model.rmse(training):.1f} min"
    )
    deploy(folder, 1, port, training, model)
    service = Service(folder.config, folder.log)
    incidents = FIVE if options.incidents == "all" else ()
    told = Replay(
        Traffic(replayed, model, incidents, folder.captures), service, folder, port, screen
    )
    screen.say(f"driftline run {folder.config}    metrics: http://127.0.0.1:{port}/metrics")
    try:
        service.start()
        with screen:
            told.run(options.seconds)
    finally:
        service.stop()
    return conclude(told, screen, folder)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description=HELP,
        epilog=END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--incidents",
        choices=("all", "none"),
        default="all",
        help="none: nothing goes wrong, and nothing may be told",
    )
    add(
        "--seconds",
        type=float,
        default=45.0,
        help="how long the two days take; 0: as fast as the service reads (default: 45)",
    )
    add(
        "--out",
        type=Path,
        default=Path("demo-output"),
        help="folder for captures, reports and state (default: demo-output)",
    )
    add(
        "--port",
        type=int,
        default=0,
        help="port of the Prometheus metrics on 127.0.0.1 (default: a free one)",
    )
    return parser.parse_args(arguments)
