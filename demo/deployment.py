"""Deployment of a model: its files, its baselines, and the configuration of the service."""

from __future__ import annotations

from demo.captures import write_held_out_file, write_training_file
from demo.flights import LABEL, Flights
from demo.model import Model
from demo.run_folder import Folder
from demo.service import driftline


def deploy(
    folder: Folder, number: int, port: int, model: Model, flights: Flights, held_out: Flights
) -> None:
    """Learn the baseline of the data from ``flights`` with the model's predictions, that of its
    quality from ``held_out`` ones with their labels, and configure the service with both.
    """
    write_training_file(folder.training(number), flights, model.predict(flights.features))
    write_held_out_file(folder.held_out(number), held_out, model.predict(held_out.features))
    baseline, quality = str(folder.baseline(number)), str(folder.quality(number))
    names = "--predictions", "prediction"
    driftline("baseline", str(folder.training(number)), "--out", baseline, *names)
    columns = "--label", LABEL, "--prediction", "prediction"
    kind = "--quality", "regression"
    driftline("baseline", str(folder.held_out(number)), "--out", quality, *kind, *columns)
    folder.write_config(number, port)
