"""The command ``python -m demo``: its options, its steps, its exit code."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from demo.deployment import deploy
from demo.flights import FlightsAbsent, load, split
from demo.incidents import FIVE
from demo.model import fit
from demo.replay import Replay, ServiceStalled
from demo.run_folder import COVERAGE, Folder, FolderTaken
from demo.screen import Screen
from demo.service import ServiceFailed, ServiceProcess
from demo.summary import conclude
from demo.traffic import WINDOWS, Traffic

INTERRUPTED = 130
HELP = """\
Replays New York's flights of 2013 with their weather (public domain) as the traffic of a small
model that predicts the arrival delay. The flights are shuffled once and spread evenly over two
days, so that only the planted incidents drift. The model was trained on a quarter of
them.

The true delay of a flight, its label, is known when it has landed: some hours after the
prediction, for one in a hundred a day later, for two in a hundred never. Labels are a log of
their own, which driftline joins with the predictions by their ids.

Five incidents are planted: the humidity is null for three hours; the departure hour is
written "7.0"; United's flights vanish; temperatures arrive in Celsius; and, permanently, a new
departure system reports the delay in seconds.

The service is the real one (driftline run), which reads SageMaker capture files as they are
written. The retrain job subscribes to its signals: an incident that is repaired within the
cool-down of four hours needs no new model; one that persists does. Drift of the data is seen
at once, the error of the model only when the labels are in."""
LABELS = (
    "A label is the true delay of a flight. It is known when the flight has landed, hours after its"
    " prediction; so the error of a window is judged hours later than its data: that is the lag of"
    f" the labels. driftline waits until {COVERAGE:.0%} of a window's flights have landed."
)
END = """\
exit codes: 0 all incidents detected, the lasting one also by the model's error, and no
false signal; 1 otherwise; 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen = Screen(WINDOWS)
    try:
        code = play(options, screen)
    except KeyboardInterrupt:
        screen.print("Interrupted. The service has been stopped; its files are kept.")
        return INTERRUPTED
    except (FlightsAbsent, FolderTaken, ServiceFailed, ServiceStalled) as error:
        screen.print(str(error), "red")
        return 1
    if options.svg:
        screen.save_svg(options.svg, "python -m demo")
    return code


def play(options: argparse.Namespace, screen: Screen) -> int:
    """Train the model, replay the traffic and print the summary; return the exit code."""
    folder = Folder(options.out)
    folder.empty()
    port = options.port or free_port()
    screen.print("Reading the flights of 2013 and training a model on a quarter of them ...")
    training, held_out, replayed = split(load())
    model = fit(training)
    screen.print(
        f"{len(training):,} flights to train on, {len(held_out):,} held out for the baseline of its"
        f" error (RMSE {model.rmse(held_out):.1f} min), {len(replayed):,} to replay"
    )
    screen.print(LABELS)
    deploy(folder, 1, port, model, training, held_out)
    service = ServiceProcess(folder.config, folder.log)
    incidents = FIVE if options.incidents == "all" else ()
    traffic = Traffic(replayed, model, incidents, folder.captures, folder.labels)
    replay = Replay(traffic, service, folder, port, screen)
    screen.print(f"driftline run {folder.config}", wrap=False)
    screen.print(f"metrics: http://127.0.0.1:{port}/metrics", wrap=False)
    try:
        service.start()
        with screen:
            replay.run(options.seconds)
    finally:
        service.stop()
    return conclude(replay, screen, folder)


def free_port() -> int:
    """A free port of the loopback."""
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
    _add_replay_options(parser)
    _add_output_options(parser)
    return parser.parse_args(arguments)


def _add_replay_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--incidents",
        choices=("all", "none"),
        default="all",
        help="none: no incident is planted, and no signal may be sent",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=45.0,
        help="duration of the two days; 0: as fast as the service reads (default: 45)",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        help="folder for captures, reports and state (default: demo-output)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="port of the Prometheus metrics on 127.0.0.1 (default: a free one)",
    )
    parser.add_argument("--svg", type=Path, help="save the last lines of the screen as a picture")
