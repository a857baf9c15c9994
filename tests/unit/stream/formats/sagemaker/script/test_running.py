"""What is checked before a script runs, its log, and the time that it may take."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from textwrap import dedent

import pytest
from structlog.testing import capture_logs

from stream.baselining.columns import ModelColumns
from stream.config.load import load
from stream.errors import ConfigError
from stream.events import Assign
from stream.formats.sagemaker.format import Sagemaker
from stream.formats.sagemaker.script import process, runner
from stream.formats.sagemaker.script.runner import Script
from stream.formats.sagemaker.script.script_log import ScriptLog
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.format import LAYOUT, identity
from stream.testing.records import raw_batch
from tests.support.records import NoSource, job_settings
from tests.unit.stream.formats.sagemaker.script.captures import (
    DOCUMENTED,
    capture,
    cells,
    decoded_by,
    form_with,
    rejected,
)

CONFIG = """\
job: flights
source: {type: jsonl, path: captures}
format: {type: sagemaker, preprocess: scripts/preprocess.py}
model: {from: const, name: delay}
models:
  delay: {baseline: learn, outputs: [p], inputs: [x]}
"""


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("import json\n\ndef f(:\n", ":3: SyntaxError: invalid syntax"),
        (
            "import json\nimport absent_library\n",
            ":2: ModuleNotFoundError: No module named 'absent_library'",
        ),
        ("x = 1 / 0", ":1: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('no')", ":2: SystemExit: no"),
        ("import os; os._exit(0)", ": its import ends the process"),
        ("x = 1", ": it has no function preprocess_handler(inference_record)"),
        (
            "\ndef preprocess_handler(a, b, c): pass",
            (
                ":2: preprocess_handler(a, b, c) must take (inference_record) or"
                " (inference_record, logger)"
            ),
        ),
    ],
)
def test_a_script_that_cannot_be_used_is_a_fault_with_its_file_and_line(
    tmp_path: Path, script: str, fault: str
) -> None:
    (tmp_path / "scripts").mkdir()
    path = tmp_path / "scripts" / "preprocess.py"
    path.write_text(script)
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml")
    [found] = caught.value.faults
    assert (found.path, found.line) == ("format.preprocess", 3)
    assert found.reason == f"{path}{fault}"


def test_a_script_is_found_beside_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    with pytest.raises(ConfigError, match=r"cannot read .*/scripts/preprocess.py: No such file"):
        load(config)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "preprocess.py").write_text(dedent(DOCUMENTED))
    form = load(config).format
    assert isinstance(form, Sagemaker)
    assert form.preprocess == str(tmp_path / "scripts" / "preprocess.py")
    assert Sagemaker().in_folder(tmp_path) == Sagemaker()


def test_keys_without_an_effect_and_limits_out_of_range_are_faults(tmp_path: Path) -> None:
    path = form_with(tmp_path, DOCUMENTED).preprocess
    form = Sagemaker(preprocess=path, header=True, input_rows="rows", preprocess_limit="6s")
    assert [(fault.key, fault.message) for fault in form.check()] == [
        ("header", "has no effect beside `preprocess`: remove one of them"),
        ("input_rows", "has no effect beside `preprocess`: remove one of them"),
        ("preprocess_limit", "expected 10ms to 5s"),
    ]


def test_what_a_script_logs_and_prints_is_in_the_log(tmp_path: Path) -> None:
    script = """
        import logging, sys
        print("imported")
        def preprocess_handler(inference_record, logger):
            logger.info("record %s", inference_record.event_metadata.event_id)
            logging.warning("root", "not formatted")
            print("printed", file=sys.stdout)
            print("error", file=sys.stderr)
            return {"x": 1}
    """
    form = form_with(tmp_path, script)
    with capture_logs() as events:
        decoded_by(form, capture())
    name = Path(form.preprocess).name
    assert [(e["event"], e["log_level"], e["message"], e["script"]) for e in events] == [
        ("script_message", "info", "imported", name),
        ("script_message", "info", "record e1", name),
        ("script_message", "warning", "root", name),
        ("script_message", "info", "printed", name),
        ("script_message", "warning", "error", name),
    ]


def test_the_log_of_a_script_is_limited_and_says_how_much_it_leaves_out() -> None:
    now = [0.0]
    with capture_logs() as events:
        log = ScriptLog("a.py", lambda: now[0])
        log.write([("info", str(k)) for k in range(60)], 7)
        now[0] = 10.0
        log.write([("info", "later"), ("error", "last")], 0)
    assert len(events) == 52
    assert [event.get("left_out") for event in events[49:]] == [None, 17, None]
    assert events[-1]["log_level"] == "error"


def test_a_batch_ends_in_time_even_if_each_record_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH_S", 1.0)
    script = """
        import time
        def preprocess_handler(inference_record):
            time.sleep(60)
    """
    form = form_with(tmp_path, script, "100ms")
    started_s = time.monotonic()
    decoded = decoded_by(form, *[capture()] * 50)
    assert time.monotonic() - started_s < 5
    assert {reason for _, reason, _ in rejected(decoded)} == {"script_timed_out"}
    assert len(decoded.rejects) == 50
    assert rejected(decoded)[-1][2] == "not run: 1 s had passed"


def test_a_reader_shows_that_it_is_alive_while_a_script_runs(tmp_path: Path) -> None:
    script = """
        import time
        def preprocess_handler(inference_record):
            time.sleep(0.9)
            return {"x": 1}
    """
    form = form_with(tmp_path, script, "3s")
    reader = Reader(NoSource(), form, identity(), job_settings())
    waits: list[float] = []
    reader.on_wait = lambda: waits.append(time.monotonic())
    reader.use(ReadingPlan({"m": ModelColumns(("p",), ("x", "n", "t"), LAYOUT)}, form))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    waits.clear()
    reader.fold([raw_batch([capture(), capture()])])
    assert len(waits) >= 2


def test_a_slow_script_is_asked_for_few_records(tmp_path: Path) -> None:
    script = """
        import time
        def preprocess_handler(inference_record):
            time.sleep(0.02)
            return {"x": 1}
    """
    decoder_of = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    answers, faults = decoder_of.run(["x"], [capture()] * 20)
    assert 5 <= decoder_of.most_records <= 25
    assert not faults
    assert sum(len(answer.made.rows) for answer in answers) == 20


def test_the_process_ends_with_the_script(tmp_path: Path) -> None:
    script = """
        import os
        def preprocess_handler(inference_record):
            return {"x": os.getpid()}
    """
    started = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    [answer], _ = started.run(["x"], [capture()])
    pid = answer.made.columns[0][0]
    os.kill(pid, 0)
    del started, answer
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_whose_reader_is_gone_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the reader here that ends the call: it would wait for three more seconds."""
    monkeypatch.setattr(process, "LONGEST_S", 1.0)
    script = """
        def preprocess_handler(inference_record):
            while True: pass
    """
    running = Script(form_with(tmp_path, script).preprocess, 4.0, False)
    _, faults = running.run(["x"], [capture()])
    assert faults[0].detail == "the process of the script ended: signal 14 (Alarm clock)"


def test_a_script_is_imported_once_by_a_process(tmp_path: Path) -> None:
    script = f"""
        with open({str(tmp_path / "imports")!r}, "a") as file:
            file.write("once\\n")
        def preprocess_handler(inference_record):
            return {{"x": 1}}
    """
    form = form_with(tmp_path, script)
    for _ in range(3):
        assert cells(decoded_by(form, capture()))["x"] == [1]
    assert (tmp_path / "imports").read_text() == "once\n"


def test_a_script_that_was_edited_is_imported_again(tmp_path: Path) -> None:
    form = form_with(tmp_path, "def preprocess_handler(inference_record): return {'x': 1}")
    assert cells(decoded_by(form, capture()))["x"] == [1]
    Path(form.preprocess).write_text("def preprocess_handler(inference_record): return {'x': 2}")
    assert cells(decoded_by(form, capture()))["x"] == [2]


def test_a_script_that_forks_is_answered_by_its_own_process_alone(tmp_path: Path) -> None:
    """Otherwise the answer of the fork would be taken for that on the next records."""
    script = """
        import os
        def preprocess_handler(inference_record):
            os.fork()
            return {"x": inference_record.endpoint_input.data}
    """
    running = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    for value in ("1", "2", "3", "4"):
        [answer], faults = running.run(["x"], [capture(value)])
        assert answer.made.columns == [[value]]
        assert not faults


def test_what_a_script_starts_ends_with_it(tmp_path: Path) -> None:
    script = """
        import subprocess
        def preprocess_handler(inference_record):
            return {"x": subprocess.Popen(["sleep", "600"]).pid}
    """
    running = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    [answer], _ = running.run(["x"], [capture()])
    pid = answer.made.columns[0][0]
    os.kill(pid, 0)
    del running
    gc.collect()
    until_s = time.monotonic() + 5.0
    while _runs(pid) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not _runs(pid)


def test_records_of_very_many_rows_are_answered_in_parts(tmp_path: Path) -> None:
    """One answer with all rows would take longer than a call may, and no record would be read."""
    script = """
        def preprocess_handler(inference_record):
            return [{"x": k} for k in range(9_000)]
    """
    running = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    answers, faults = running.run(["x"], [capture()] * 7)
    assert not faults
    assert [(answer.start, answer.made.rows) for answer in answers] == [
        (0, [9_000] * 3),
        (3, [9_000] * 3),
        (6, [9_000]),
    ]


def test_a_process_that_ends_after_its_last_call_costs_the_record_at_fault_alone(
    tmp_path: Path,
) -> None:
    script = """
        import os
        def preprocess_handler(inference_record):
            if inference_record.endpoint_input.data == "1":
                os.closerange(3, 1 << 16)
            return {"x": inference_record.endpoint_input.data}
    """
    running = Script(form_with(tmp_path, script).preprocess, 1.0, False)
    answers, faults = running.run(["x"], [capture(str(k)) for k in range(4)])
    assert list(faults) == [1]
    assert faults[1].reason == "script_failed"
    assert sorted(x for answer in answers for x in answer.made.columns[0]) == ["0", "2", "3"]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
