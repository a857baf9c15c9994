"""The notebook of model quality runs from beginning to end, and what it shows is so.

scikit-learn, on the tables of the notebook's shop, says what each F1 must be.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "examples" / "model-quality.ipynb"
STORED = nbformat.read(NOTEBOOK, as_version=4)
MACHINE_PATH = re.compile(r"/(?:tmp|home|root|work|Users|private|var|opt)/[\w.]")
PROBE = """
from sklearn.metrics import f1_score

def realised(day, horizon=10):
    of = orders_of[day]
    by = model if day < today else new_model
    labelled = (of["known"] < day + horizon) & (of["known"] < max(orders_of) + 1)
    predicted = answers(by, of["orders"])[:, 0]
    return f1_score(of["returned"][labelled], predicted[labelled]), int(labelled.sum())

data = [json.loads(line) for file in sorted(Path("reports").glob("reports-*.jsonl"))
        for line in file.read_text().splitlines()]
Path(os.environ["NOTEBOOK_FACTS"]).write_text(json.dumps({
    "f1": f1_of,
    "latest": {(day - FIRST_DAY).days: report for day, report in latest().items()},
    "all": [[(day_of(report) - FIRST_DAY).days, report["state"]] for report in quality_reports()],
    "realised": {day: realised(day) for day in orders_of if day < max(orders_of) - 7},
    "estimated": {day: estimated_f1(FIRST_DAY + timedelta(days=day)) for day in orders_of},
    "signals": [[(day_of(signal) - FIRST_DAY).days, signal["kind"], signal["features"]]
                for signal in signals()],
    "data": [report["state"] for report in data],
    "change": CHANGE,
    "today": today,
}))
"""


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(cells: list[nbformat.NotebookNode]) -> str:
    """What the cells print."""
    outputs = [output for cell in cells for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook after a run in an empty folder, with a cell that writes its facts at the end."""
    notebook: nbformat.NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    programs = Path(sys.executable).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=":")
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("NOTEBOOK_FACTS", str(folder / "facts.json"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    return notebook


@pytest.fixture(scope="module")
def facts(folder: Path, executed: nbformat.NotebookNode) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return found


def test_f1_falls_with_the_change_and_is_back_after_retraining(facts: dict[str, Any]) -> None:
    before, after, retrained = facts["f1"].values()
    assert 0.75 <= before <= 0.85
    assert 0.25 <= after <= 0.45
    assert 0.75 <= retrained <= 0.85


def test_every_judged_f1_is_that_of_scikit_learn(facts: dict[str, Any]) -> None:
    compared = 0
    for day, report in facts["latest"].items():
        if not report["final"]:
            continue
        exact, labelled = facts["realised"][day]
        found = next(metric for metric in report["metrics"] if metric["name"] == "f1")
        assert report["labelled"] == labelled
        assert found["value"] == pytest.approx(exact, abs=1e-12)
        compared += 1
    assert compared >= facts["today"]


def test_the_drop_is_signalled_once_and_its_end_too(facts: dict[str, Any]) -> None:
    kinds = [kind for _, kind, _ in facts["signals"]]
    assert kinds[0] == "opened"
    assert kinds[-1] == "recovered"
    assert set(kinds[1:-1]) <= {"reminder", "worsened"}
    assert all(features == ["f1"] for _, _, features in facts["signals"])
    assert facts["signals"][0][0] == facts["change"]
    assert facts["signals"][-1][0] >= facts["today"]


def test_only_the_days_between_change_and_deployment_violate(facts: dict[str, Any]) -> None:
    violating = {day for day, state in facts["all"] if state == "violations"}
    assert violating == set(range(facts["change"], facts["today"]))
    judged = {day for day, state in facts["all"] if state == "ok"}
    assert judged >= set(range(facts["change"])) | {facts["today"], facts["today"] + 1}


def test_the_inputs_do_not_show_the_change_and_the_estimate_misses_it(
    facts: dict[str, Any],
) -> None:
    assert set(facts["data"]) == {"ok"}
    estimates = {int(day): value for day, value in facts["estimated"].items()}
    days = range(facts["change"], facts["today"])
    assert min(estimates[day] for day in days) > facts["f1"]["after the change"] + 0.3
    before = range(facts["change"])
    assert max(abs(estimates[day] - facts["realised"][str(day)][0]) for day in before) < 0.06


def test_the_stored_notebook_is_what_runs(executed: nbformat.NotebookNode) -> None:
    """After a change: ``jupyter execute --inplace examples/model-quality.ipynb``."""
    stored, ran = code(STORED), code(executed)[:-1]
    assert [cell.source for cell in stored] == [cell.source for cell in ran]
    assert [cell.execution_count for cell in stored] == list(range(1, len(stored) + 1))
    kinds = [[output.output_type for output in cell.outputs] for cell in stored]
    assert kinds == [[output.output_type for output in cell.outputs] for cell in ran]
    shown, found = (
        [float(value) for value in re.findall(r": F1 (0\.\d\d) on", text(cells))]
        for cells in (stored, ran)
    )
    assert len(shown) == 3
    assert shown == pytest.approx(found, abs=0.03)


def test_the_stored_outputs_are_small_plain_and_name_no_folder_of_a_machine() -> None:
    content = NOTEBOOK.read_text()
    assert len(content) < 500_000
    printed = text(code(STORED))
    assert "\x1b" not in printed
    assert MACHINE_PATH.search(printed) is None
    assert sum("image/png" in str(cell.outputs) for cell in code(STORED)) == 2
