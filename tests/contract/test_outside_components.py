"""Distances and checks of another distribution appear wherever driftline's own do.

Each test installs a distribution (a module and its entry points) into a folder of its own, and asks
a fresh interpreter: components are found when driftline is imported.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from detectors.changes.base import Change
from detectors.components import find
from detectors.errors import ComponentInvalid
from tests.support.distributions import install, python
from tests.support.paths import ROOT

pytestmark = pytest.mark.programs
DISTANCE = '''
import numpy as np

from detectors.statistics.distances.base import Distance, normal_shift
from detectors.statistics.laws import sampling_scale


class TotalVariation(Distance):
    """``sum(|p - q|) / 2`` of each feature. NaN without rows.

    Trap: depends on the number of bins. Source: any textbook.

    >>> 1 + 1
    2
    """

    applies_to = "both"
    title = "total variation"
    formula = "sum(|p - q|) / 2 over the bins"
    decides = True

    def distances(self, pair):
        return pair.where_both(pair.total(np.abs(pair.p - pair.q)) / 2.0)

    def noise(self, pair, alpha):
        cells = pair.merged_cells.left + np.log(1.0 / alpha)
        return np.sqrt(sampling_scale(pair) * cells / 2.0)

    def equivalent(self, gap):
        return gap
'''
CHECK = '''
from detectors.decisions.checks.base import COLUMNS, Check, Stage
from detectors.violation import Violation


class Outliers(Check):
    """More than a tenth of the numbers lie beyond the baseline's smallest and largest."""

    stage = Stage.REMAINDER

    def of_feature(self, window, i, reported):
        share = float(window.measures.outliers[i])
        if reported.violations or not share > 0.1:
            return None
        return self.violation(
            window,
            i,
            statistic="outlier_share",
            value=share,
            limit=0.1,
            description="Too many outliers.",
            summary=f"outliers in {window.layout.features[i].name}, {window.rows} rows",
        )

    def of_columns(self, window):
        asked = window.rules.min_n
        if window.rows <= 10 * asked:
            return None
        return Violation(
            feature=COLUMNS,
            check=self.name,
            statistic="rows",
            value=float(window.rows),
            limit=10.0 * asked,
            n=window.rows,
            description="Too many rows.",
        )

    def size(self, violation):
        return 1.0
'''
PREPARE = """
import json
import msgspec
import numpy as np
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.decisions.rules import FeatureRules, Rules
from stream.testing.baselines import baseline, normal, texts, window

base = baseline({"x": normal(1, 5_000), "t": texts({"a": 3_000, "b": 2_000})})


def judged(data, rules=Rules(mode="threshold")):
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
    return Judge("j", rules).report(span, base, window(base.layout, data), EpisodeState())

"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(folder, *arguments, cwd=ROOT)


def ask(folder: Path, script: str) -> str:
    """What a script prints in an interpreter that has the distribution."""
    answer = run(folder, "-c", PREPARE + dedent(script))
    assert answer.returncode == 0, answer.stderr[-2_000:]
    return answer.stdout.strip()


@pytest.fixture
def distance(tmp_path: Path) -> Path:
    entry = "total_variation = acme_distance:TotalVariation"
    install(tmp_path, "driftline.distances", entry, "acme_distance", DISTANCE)
    return tmp_path


@pytest.fixture
def check(tmp_path: Path) -> Path:
    install(
        tmp_path, "driftline.checks", "outlier_check = acme_check:Outliers", "acme_check", CHECK
    )
    return tmp_path


def test_an_outside_distance_is_reported_and_decides_where_the_rules_name_it(
    distance: Path,
) -> None:
    answer = ask(
        distance,
        """
        data = {"x": normal(2, 2_000, mean=1.0), "t": texts({"a": 1_200, "b": 800})}
        report = judged(data, Rules(mode="threshold", statistic="total_variation"))
        x, t = report.features
        (violation,) = report.violations
        assert x.distances["total_variation"] == x.value == violation.value > x.limit
        assert t.distances["total_variation"] == 0.0
        assert x.noise > 0
        assert x.asked_limit == 0.1
        print(x.deciding, t.deciding, x.verdict, t.verdict, violation.statistic)
        print(violation.summary.partition(" 0.")[0])
        """,
    )
    assert answer.splitlines() == [
        "total_variation total_variation violation ok total_variation",
        "total variation",
    ]


def test_an_outside_distance_is_a_choice_of_the_configuration_and_in_its_schema(
    distance: Path,
) -> None:
    answer = ask(
        distance,
        """
        from detectors.changes.page_hinkley import PageHinkley
        from detectors.statistics.catalogue import deciding_statistics
        from sinks.prometheus import Prometheus
        from stream.commands.schema import schema_of

        name = "total_variation"
        sink = {"type": "prometheus", "per_feature": [name]}
        change = {"type": "page_hinkley", "feature": "x", "series": name}
        msgspec.convert(sink, Prometheus)
        msgspec.convert(change, PageHinkley)
        assert name in deciding_statistics()
        definitions = schema_of("config")["$defs"]
        statistic = definitions["Rules"]["properties"]["statistic"]
        series = definitions["PageHinkley"]["properties"]["series"]
        per_feature = definitions["Prometheus"]["properties"]["per_feature"]["items"]
        print([name in schema["enum"] for schema in (statistic, series, per_feature)])
        """,
    )
    assert answer == "[True, True, True]"


def test_an_outside_distance_is_shown_by_the_prometheus_sink(distance: Path) -> None:
    answer = ask(
        distance,
        """
        from prometheus_client import CollectorRegistry
        from sinks.prometheus import Prometheus

        delivery = Prometheus(per_feature=["total_variation"]).open("j")
        registry = CollectorRegistry()
        registry.register(delivery)
        report = judged({"x": normal(2, 900), "t": texts({"a": 700, "b": 200})})
        delivery.deliver([report])
        labels = {"job": "j", "model": "m", "variant": "v", "feature": "t"}
        shown = registry.get_sample_value(
            "driftline_feature_statistic", {**labels, "statistic": "total_variation"}
        )
        assert shown == report.features[1].distances["total_variation"]
        print(round(shown, 3))
        """,
    )
    assert answer == "0.178"


def test_an_outside_distance_is_held_to_the_contract_of_all_distances(distance: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "total_variation")
    tests = run(distance, "-m", "pytest", *options, "tests/contract/test_distances.py")
    assert tests.returncode == 0, tests.stdout[-2_000:]
    assert "passed" in tests.stdout


def test_an_outside_check_returns_violations_for_a_feature_and_for_all_columns(
    check: Path,
) -> None:
    answer = ask(
        check,
        """
        from detectors.decisions.catalogue import CHECKS, size_of
        from detectors.decisions.violations import ORDERED

        x = np.where(np.arange(2_000) % 5, normal(2, 2_000), 50.0)
        rules = Rules(mode="threshold", limit=100.0)
        of_x, of_columns = judged({"x": x, "t": texts({"a": 1_200, "b": 800})}, rules).violations
        assert (of_x.value, of_x.n, of_x.summary) == (0.2, 2_000, "outliers in x, 2000 rows")
        assert size_of(of_x) == size_of(of_columns) == 1.0
        assert "outlier_check" in CHECKS
        print(of_x.feature, of_x.check, of_columns.feature, of_columns.check)
        print(ORDERED[-1].name)
        """,
    )
    assert answer.splitlines() == ["x outlier_check (columns) outlier_check", "outlier_check"]


def test_one_cause_is_reported_once_by_outside_checks_too(check: Path) -> None:
    answer = ask(
        check,
        """
        report = judged({"x": np.full(900, 50.0), "t": texts({"a": 540, "b": 360})})
        print([violation.check for violation in report.violations])
        """,
    )
    assert answer == "['baseline_drift_check']"


def test_an_outside_check_counts_in_the_cap_of_the_prometheus_sink(check: Path) -> None:
    count = "from sinks.prometheus import Prometheus; print(Prometheus().series(1))"
    with_check = int(ask(check, count))
    without = run(ROOT, "-c", count)
    assert with_check == int(without.stdout) + 1


def test_a_distance_that_decides_without_a_sampling_law_is_refused(tmp_path: Path) -> None:
    source = DISTANCE.replace("def noise", "def no_noise").replace("def equivalent", "def other")
    entry = "total_variation = acme_distance:TotalVariation"
    install(tmp_path, "driftline.distances", entry, "acme_distance", source)
    answer = run(tmp_path, "-c", "import detectors.decisions.judge")
    assert answer.returncode == 1
    assert "TotalVariation does not define noise, equivalent" in answer.stderr.splitlines()[-1]
    assert "acme-drift 1.0" in answer.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("group", "entry", "reason"),
    [
        ("driftline.distances", "psi = acme:Thing", "the name is already used by driftline itself"),
        ("driftline.distances", "thing = acme:Thing", "not a subclass of detectors.statistics"),
        ("driftline.checks", "thing = acme:Thing", "not a subclass of detectors.decisions"),
        ("driftline.checks", "thing = acme:Nothing", "cannot be imported"),
    ],
)
def test_a_component_that_cannot_be_used_is_refused_by_its_distribution(
    tmp_path: Path, group: str, entry: str, reason: str
) -> None:
    install(tmp_path, group, entry, "acme", "class Thing: ...\n")
    answer = run(tmp_path, "-c", "import detectors.decisions.judge")
    assert answer.returncode == 1
    last = answer.stderr.splitlines()[-1]
    assert reason in last
    assert "acme-drift 1.0" in last


CONFIG = """\
job: prices
source: {type: jsonl, path: events.jsonl}
format: {type: json}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: []}}
sinks: [{type: jsonl, path: reports}]
"""
GROUPS = {
    "driftline.sources": "stream.sources.base.Source",
    "driftline.formats": "stream.formats.base.Format",
    "driftline.sinks": "sinks.base.Sink",
    "driftline.distances": "detectors.statistics.distances.base.Distance",
    "driftline.change_detectors": "detectors.changes.base.Change",
    "driftline.checks": "detectors.decisions.checks.base.Check",
}
CORRECT = "Correct that distribution, or uninstall it"


def refusal(folder: Path) -> str:
    """What ``driftline check`` writes about a valid configuration, next to a broken component."""
    (folder / "config.yaml").write_text(CONFIG)
    answer = run(folder, "-m", "stream.cli", "check", str(folder / "config.yaml"))
    assert (answer.returncode, answer.stdout) == (2, "")
    [line] = answer.stderr.splitlines()
    return line


@pytest.mark.parametrize("group", GROUPS)
def test_an_entry_point_without_a_class_is_an_error_that_names_it(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"{group.removeprefix('driftline.')}_of_acme"
    install(tmp_path, group, f"thing = {module}:Nothing", module, "")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ComponentInvalid) as refused:
        find("detectors.changes", Change, group)
    assert refused.value.group == group
    assert refused.value.distribution == "acme-drift 1.0"
    assert f"{module}:Nothing cannot be imported: AttributeError" in refused.value.reason
    assert refused.value.advice == CORRECT


def test_check_names_the_package_that_a_component_lacks(tmp_path: Path) -> None:
    install(tmp_path, "driftline.sinks", "thing = acme:Thing", "acme", "import no_such_package")
    assert refusal(tmp_path) == (
        "driftline: entry point 'thing' of driftline.sinks, in distribution acme-drift 1.0:"
        ' acme:Thing cannot be imported: ModuleNotFoundError("No module named'
        f" 'no_such_package'\"). {CORRECT}"
    )


def test_a_module_that_exits_at_import_is_an_error_like_any_other(tmp_path: Path) -> None:
    install(tmp_path, "driftline.sinks", "thing = acme:Thing", "acme", "raise SystemExit(0)")
    assert refusal(tmp_path) == (
        "driftline: entry point 'thing' of driftline.sinks, in distribution acme-drift 1.0:"
        f" acme:Thing cannot be imported: SystemExit(0). {CORRECT}"
    )


@pytest.mark.parametrize("group", GROUPS)
def test_check_names_the_base_class_that_a_component_must_have(group: str, tmp_path: Path) -> None:
    install(tmp_path, group, "thing = acme:Thing", "acme", "class Thing: ...\n")
    assert refusal(tmp_path) == (
        f"driftline: entry point 'thing' of {group}, in distribution acme-drift 1.0: acme:Thing is"
        f" not a subclass of {GROUPS[group]}. {CORRECT}"
    )


def test_check_names_both_distributions_that_offer_one_name(tmp_path: Path) -> None:
    sink = "from sinks.base import Sink\nclass Thing(Sink, frozen=True, tag='thing'): ...\n"
    install(tmp_path, "driftline.sinks", "thing = acme:Thing", "acme", sink)
    install(tmp_path, "driftline.sinks", "thing = bolt:Thing", "bolt", sink, name="bolt-drift")
    assert refusal(tmp_path) == (
        "driftline: entry point 'thing' of driftline.sinks, in distribution bolt-drift 1.0: the"
        " name is already used by distribution acme-drift 1.0. Rename the entry point and the tag"
        " of its class, or uninstall one of the two"
    )


def test_check_names_a_component_that_takes_a_name_of_driftline(tmp_path: Path) -> None:
    sink = "from sinks.base import Sink\nclass Thing(Sink, frozen=True, tag='jsonl'): ...\n"
    install(tmp_path, "driftline.sinks", "jsonl = acme:Thing", "acme", sink)
    assert refusal(tmp_path) == (
        "driftline: entry point 'jsonl' of driftline.sinks, in distribution acme-drift 1.0: the"
        " name is already used by driftline itself. Rename the entry point and the tag of its"
        " class, or uninstall that distribution"
    )
