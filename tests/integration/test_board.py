"""Every query of the Grafana boards returns a series on a real Prometheus while the service runs.

The amount is in cents from the middle of the captures on, so that an episode is open.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import start_http_server

from tests.servers.base import LOOPBACK, free_port
from tests.servers.kafka import KafkaBroker
from tests.servers.prometheus import PrometheusServer
from tests.servers.service import RunningService
from tests.support import events, jobs
from tests.support.metrics import FullPage
from tests.support.paths import ROOT

BOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
LOGS_ONLY = {"Lag"}
"""Panels that are empty for a source of files."""
LABELS_ONLY = {"Model quality", "Labels"}
"""Rows that are empty for a job without labels."""


def board(name: str) -> dict[str, Any]:
    return dict(json.loads((BOARDS[0].parent / f"driftline-{name}.json").read_text()))


def panels(path: Path) -> Iterator[dict[str, Any]]:
    """The panels of a board that show data, also those in collapsed rows."""
    for panel in json.loads(path.read_text())["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def targets() -> list[tuple[str, dict[str, Any]]]:
    """The title and the target of each query of the panels that need no labels."""
    of_labels = {title for title, _ in label_targets()}
    return [
        (panel["title"], target)
        for path in BOARDS
        for panel in panels(path)
        for target in panel["targets"]
        if panel["title"] not in of_labels
    ]


def label_targets() -> list[tuple[str, dict[str, Any]]]:
    """The title and the target of each query of the panels about labels and quality."""
    return [
        (panel["title"], target)
        for path in BOARDS
        for row in json.loads(path.read_text())["panels"]
        if row["title"] in LABELS_ONLY
        for panel in row["panels"]
        for target in panel["targets"]
    ]


def annotation_targets() -> list[tuple[str, dict[str, Any]]]:
    """The name and the target of each annotation."""
    return [
        (annotation["name"], annotation["target"])
        for path in BOARDS
        for annotation in json.loads(path.read_text())["annotations"]["list"]
    ]


def variables() -> list[tuple[str, str]]:
    """The label and the selector of the series that each variable takes its values from."""
    found = []
    for path in BOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                query = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                assert query
                found.append((query[2], query[1]))
    return found


def with_variables_selected(expression: str) -> str:
    """The expression that Grafana sends when all values of every variable are selected."""
    return re.sub(
        r"\$(job|model|feature|metric)", ".*", expression.replace("$__rate_interval", "10s")
    )


def config(folder: Path, source: dict[str, Any]) -> dict[str, Any]:
    sinks = [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}]
    return jobs.config(jobs.learn(folder), job="board", source=source, sinks=sinks)


def lines(count: int) -> list[bytes]:
    """Events of the last seven minutes, 50 per second; the second half drifts."""
    columns = events.values(count)
    amounts = [
        str(float(x) * 100) if k >= count // 2 else x for k, x in enumerate(columns["amount"])
    ]
    return events.capture_lines(
        {**columns, "amount": amounts},
        start_ms=int(time.time() * 1000) - 420_000,
        events_a_second=50,
    )


def test_each_query_of_the_boards_returns_a_series(
    prometheus: Callable[..., PrometheusServer], tmp_path: Path
) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    (captures / "a.jsonl").write_bytes(b"\n".join(lines(20_000)) + b"\n")
    source = {"type": "jsonl", "path": str(captures), "follow": True}
    with RunningService(tmp_path / "run", config(tmp_path, source)) as service:
        service.until(lambda: service.metric("driftline_episode_open") == 1)
        server = prometheus(service.port)
        for title, target in [*targets(), *annotation_targets()]:
            if title in LOGS_ONLY:
                continue
            result = server.wait_for(with_variables_selected(target["expr"]), timeout_s=30)
            legends = [legend(target, series["metric"]) for series in result]
            assert len(legends) == len(set(legends)), f"{title}: two lines of one name"
        for label, selector in variables():
            if label == "metric":
                continue  # a job with labels has it
            assert server.query(f"count by ({label}) ({with_variables_selected(selector)})")
        names_the_drift(server)


def test_each_query_about_labels_and_quality_returns_a_series(
    prometheus: Callable[..., PrometheusServer],
) -> None:
    """On the page that has a sample of every metric, with the names of its labels."""
    port = free_port()
    page, thread = start_http_server(port, LOOPBACK, FullPage("board").registry)
    try:
        server = prometheus(port)
        assert len(label_targets()) > 20
        for title, target in label_targets():
            result = server.wait_for(with_variables_selected(target["expr"]), timeout_s=30)
            legends = [legend(target, series["metric"]) for series in result]
            assert len(legends) == len(set(legends)), f"{title}: two lines of one name"
            assert all(part != "" for text in legends for part in text.split(" ")), title
        for label, selector in variables():
            assert server.query(f"count by ({label}) ({with_variables_selected(selector)})")
    finally:
        page.shutdown()
        page.server_close()
        thread.join(5)


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    """The name of a line, or all labels of a row of a table."""
    template = target.get("legendFormat")
    if template is None:
        return json.dumps(labels, sort_keys=True)
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), template)


def names_the_drift(server: PrometheusServer) -> None:
    """The table of models says which feature drifts, by how much, and which report explains it."""
    [table] = [panel for panel in panels(BOARDS[0]) if panel["title"] == "Models, worst first"]
    results = {
        target["refId"]: server.query(with_variables_selected(target["expr"]))
        for target in table["targets"]
    }
    rows = [series["metric"] for series in results["D"]]
    assert [row["features"].split(", ")[0] for row in rows] == ["amount"]
    assert rows[0]["report"].startswith("board/m/AllTraffic/")
    assert float(results["A"][0]["value"][1]) > 1
    since_s = float(results["C"][0]["value"][1]) / 1000
    assert 60 < time.time() - since_s < 600
    [mean] = [panel for panel in panels(BOARDS[0]) if panel["title"].startswith("Mean: now")]
    shifts = server.query(with_variables_selected(mean["targets"][0]["expr"]))
    largest = max(shifts, key=lambda series: abs(float(series["value"][1])))
    assert largest["metric"]["feature"] == "amount"


def test_panels_about_a_log_return_a_series_for_each_partition(
    kafka: KafkaBroker,
    make_topic: Callable[..., str],
    prometheus: Callable[..., PrometheusServer],
    tmp_path: Path,
) -> None:
    topic = make_topic(2)
    kafka.produce(
        topic,
        [(k % 2, None, line, [], int(time.time() * 1000)) for k, line in enumerate(lines(200))],
    )
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}
    with RunningService(tmp_path / "run", config(tmp_path, source)) as service:
        service.until(lambda: service.accepted() == 200)
        server = prometheus(service.port)
        for title, target in targets():
            if title in LOGS_ONLY:
                result = server.wait_for(
                    with_variables_selected(target["expr"]), series=2, timeout_s=30
                )
                partitions = {series["metric"]["partition"] for series in result}
                assert partitions == {f"{topic}-0", f"{topic}-1"}


def test_there_is_a_board_of_models_and_one_of_the_service_that_lead_to_each_other() -> None:
    assert [path.stem for path in BOARDS] == ["driftline-models", "driftline-service"]
    models, service = map(board, ("models", "service"))
    assert [link["url"] for link in models["links"]] == [f"/d/{service['uid']}"]
    assert [link["url"] for link in service["links"]] == [f"/d/{models['uid']}"]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_each_panel_has_a_title_a_description_and_a_unit(path: Path) -> None:
    read = json.loads(path.read_text())
    assert read["editable"] is False
    names = {variable["name"]: variable for variable in read["templating"]["list"]}
    assert names["datasource"]["type"] == "datasource"
    assert all(names[name]["refresh"] == 2 for name in names.keys() - {"datasource"})
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(
            "$__rate_interval" in target["expr"]
            for target in panel["targets"]
            if "rate(" in target["expr"]
        )


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_rows_are_collapsed_and_no_two_panels_overlap(path: Path) -> None:
    read = json.loads(path.read_text())
    rows = [panel for panel in read["panels"] if panel["type"] == "row"]
    assert len(rows) >= 2
    assert all(row["collapsed"] and row["panels"] for row in rows)
    assert len({panel["id"] for panel in [*rows, *panels(path)]}) == len([*rows, *panels(path)])
    for shown in (read["panels"], *(row["panels"] for row in rows)):
        cells = [cell for panel in shown for cell in cells_of(panel["gridPos"])]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)


def cells_of(place: dict[str, int]) -> list[tuple[int, int]]:
    xs = range(place["x"], place["x"] + place["w"])
    return [(x, y) for x in xs for y in range(place["y"], place["y"] + place["h"])]


def test_ratios_have_a_logarithmic_axis_with_a_line_at_the_limit() -> None:
    ratios = [
        panel
        for panel in panels(BOARDS[0])
        if panel["title"] in ("Worst features: how near to a violation", "What decides / limit")
    ]
    assert len(ratios) == 2
    for panel in ratios:
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["custom"]["scaleDistribution"] == {"type": "log", "log": 10}
        assert defaults["custom"]["thresholdsStyle"] == {"mode": "line"}
        assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 1]
        assert panel["targets"][0]["legendFormat"] == "{{model}} {{feature}}"


def test_tables_are_sorted_worst_first_and_name_each_column() -> None:
    tables = [panel for panel in panels(BOARDS[0]) if panel["type"] == "table"]
    assert [table["title"] for table in tables] == ["Models, worst first", "Features, worst first"]
    for table in tables:
        merge, organize, sort = table["transformations"]
        assert (merge["id"], organize["id"], sort["id"]) == ("merge", "organize", "sortBy")
        names = organize["options"]["renameByName"]
        shown = [f"Value #{target['refId']}" for target in table["targets"]]
        assert set(shown) <= names.keys()
        [by] = sort["options"]["sort"]
        assert by == {"field": names["Value #A"], "desc": True}
        assert "ratio" in by["field"].lower()
        overridden = {entry["matcher"]["options"] for entry in table["fieldConfig"]["overrides"]}
        assert overridden <= set(names.values())
        assert all(target["format"] == "table" and target["instant"] for target in table["targets"])
