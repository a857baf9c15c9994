"""Training files as people have them: headers, encodings, compression, and what is no file."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from detectors.profiles.layout import NEG_INF
from stream.baselining.build import make_from_files
from stream.baselining.training_data import TrainingData
from stream.errors import DataError

ROWS = "".join(f"{k},{k % 3}\n" for k in range(50))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def names_of(path: Path) -> tuple[str, ...]:
    return make_from_files(path).baseline.columns


def notes_of(path: Path) -> tuple[str, ...]:
    training = TrainingData(path)
    list(training.chunks())
    return training.notes


def test_blanks_around_the_names_of_a_header_are_left_out_and_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "age, hours per week \n" + ROWS)
    assert names_of(path) == ("age", "hours per week")
    assert make_from_files(path, ["hours per week"], exclude=["age"]).baseline.columns == (
        "hours per week",
    )
    assert notes_of(path) == ("blanks around names in the header were left out",)
    assert notes_of(written(tmp_path / "u.csv", "a,b c\n" + ROWS)) == ()


def test_columns_without_a_name_are_left_out_and_told(tmp_path: Path) -> None:
    rows = "".join(f"{k},x,{k % 3},y\n" for k in range(20))
    path = written(tmp_path / "t.csv", ",a,b, \n" + rows)
    assert names_of(path) == ("a", "b")
    (note,) = [note for note in notes_of(path) if "blanks" not in note]
    assert note.startswith("columns 1, 4 without a name: left out")
    assert "--columns" in note
    named = make_from_files(path, columns=["row", "a", "b", "c"])
    assert named.baseline.columns == ("row", "a", "b", "c"), "names can be given"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_than_the_comma_is_told(tmp_path: Path, separator: str) -> None:
    rows = ROWS.replace(",", separator)
    (note,) = notes_of(written(tmp_path / "t.csv", f"a{separator}b\n{rows}"))
    assert note.startswith("the only column is named ")
    assert "write the file with commas" in note


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas_and_another_separator_are_told_with_the_fault(
    tmp_path: Path, separator: str
) -> None:
    path = written(tmp_path / "t.csv", f"a{separator}b\n" + f"1,5{separator}2,5\n" * 9)
    with pytest.raises(DataError, match="does not separate columns; write the file with commas"):
        make_from_files(path)


@pytest.mark.parametrize("line", ["sep=,", "sep=;", "sep=\t"])
def test_the_separator_line_of_excel_is_told(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "t.csv", f"{line}\na,b\n{ROWS}")
    with pytest.raises(DataError, match="`sep=`, a line for Excel"):
        make_from_files(path)


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (b"\x1f\x8b\x08\x00", "compressed by gzip: give its name the suffix .gz"),
        (b"PK\x03\x04", "a zip archive, as workbooks of Excel are"),
        (b"PAR1", "is Parquet: give its name the suffix .parquet"),
        (b"\xff\xfea\x00", "UTF-16"),
    ],
)
def test_a_file_that_is_no_text_is_told(tmp_path: Path, start: bytes, fault: str) -> None:
    path = written(tmp_path / "t.csv", start + bytes(range(256)))
    with pytest.raises(DataError, match=fault):
        make_from_files(path)


def test_the_words_PK_and_PAR_may_begin_a_header(tmp_path: Path) -> None:
    assert names_of(written(tmp_path / "t.csv", f"PK,PAR\n{ROWS}")) == ("PK", "PAR")


@pytest.mark.parametrize("row", [b"1,2,3\n", b"\xf6,2,3\n", b"\xf6,2\n"])
def test_rows_that_cannot_be_read_leave_nothing_else_on_the_terminal(
    tmp_path: Path, row: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "t.csv", b"a,b\n" + row + ROWS.encode())
    with pytest.raises(DataError, match="cannot be read as csv"):
        make_from_files(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [b"gr\xf6\xdfe", rb"c\ud800"])
def test_a_name_that_is_no_text_is_told_with_its_line(tmp_path: Path, name: bytes) -> None:
    path = written(tmp_path / "t.jsonl", b'{"a": 1}\n{"' + name + b'": 1}\n')
    with pytest.raises(DataError, match=r"t.jsonl:2: .*a name is not valid Unicode"):
        make_from_files(path)


def test_a_header_in_latin_1_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", f"größe,b\n{ROWS}".encode("latin-1"))
    with pytest.raises(DataError, match="the header is not UTF-8. Save it as CSV UTF-8"):
        make_from_files(path)


@pytest.mark.parametrize(
    "header", ["\n\na,b\n", "\r\na,b\r\n", '"a\n(EUR)",b\n', '\ufeff"a\r\n(EUR)","b\n"\n']
)
def test_the_header_is_no_row_wherever_its_lines_break(tmp_path: Path, header: str) -> None:
    made = make_from_files(written(tmp_path / "t.csv", header + ROWS))
    assert made.baseline.profile.rows == 50
    assert [feature.type for feature in made.baseline.layout.features] == ["Integral"] * 2


def test_the_row_index_in_parquet_is_left_out_and_told(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"x": [1, 2], "__index_level_0__": [7, 9]}), tmp_path / "t.parquet"
    )
    assert names_of(tmp_path / "t.parquet") == ("x",)
    assert notes_of(tmp_path / "t.parquet")[0].startswith("column 2 without a name: left out")


@pytest.mark.parametrize("header", ["a,b,a", "a, a,b", "a,a ,b"])
def test_a_name_given_twice_is_refused_with_what_to_do(tmp_path: Path, header: str) -> None:
    path = written(tmp_path / "t.csv", header + "\n1,2,3\n")
    with pytest.raises(DataError, match="several columns 'a': rename them in the file, or"):
        make_from_files(path)
    assert make_from_files(path, columns=["a", "b", "c"]).baseline.columns == ("a", "b", "c")


def test_a_file_without_any_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column has a name: .*--no-header"):
        make_from_files(written(tmp_path / "t.csv", ",,\n1,2,3\n"))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_byte_order_mark_and_compression_make_no_difference(tmp_path: Path, suffix: str) -> None:
    lines = "a,b\n" + ROWS
    if suffix == "jsonl":
        lines = "".join(json.dumps({"a": k, "b": k % 3}) + "\n" for k in range(50))
    plain = make_from_files(written(tmp_path / f"t.{suffix}", lines)).baseline
    marked = b"\xef\xbb\xbf" + lines.encode()
    for name, content in {
        f"bom.{suffix}": marked,
        f"t.{suffix}.gz": gzip.compress(lines.encode()),
        f"bom.{suffix.upper()}.GZ": gzip.compress(marked),
    }.items():
        built = make_from_files(written(tmp_path / name, content)).baseline
        assert (built.columns, built.fingerprint) == (("a", "b"), plain.fingerprint), name


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is in UTF-16, expected UTF-8"),
        ("t.csv", "a\nM\u00fcnchen\n".encode("latin-1"), "Save it as CSV UTF-8"),
        ("t.csv", "Gr\u00f6\u00dfe\n1\n".encode("latin-1"), "Save it as CSV UTF-8"),
        ("t.csv.gz", b"no gzip", "t.csv.gz"),
        ("t.jsonl.gz", gzip.compress(b"{}\n" * 1_000, mtime=0)[:-9], "cannot be read as jsonl"),
        ("t.csv.gz", gzip.compress(b"a\n1\n" * 100_000, mtime=0)[:-9], "cannot be read as csv"),
        ("t.parquet.gz", b"", "expected CSV, Parquet or JSON lines"),
        ("t.json", b'[{"a": 1}]', "found another value; write one object a line"),
        ("t.jsonl", b"{\n", "found text that is no JSON"),
        ("t.jsonl", b'{"a": "\xff"}\n', "found text that is no JSON in UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_file_is_refused_in_words(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(DataError) as caught:
        make_from_files(written(tmp_path / name, content))
    assert reason in str(caught.value)
    assert "undecodable" not in str(caught.value)


def test_bare_nan_and_infinity_in_json_count_as_such(tmp_path: Path) -> None:
    lines = [*(f'{{"x": {k}.5}}' for k in range(40)), '{"x": NaN}', '{"x": -Infinity}']
    built = make_from_files(written(tmp_path / "t.jsonl", "\n".join(lines))).baseline
    layout = built.layout
    counts = built.profile.counts
    assert layout.features[0].type == "Fractional"
    assert int(counts[layout.starts[1] - 1]) == 1, "NaN"
    assert int(counts[layout.starts[0] + NEG_INF]) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_named_pipe_is_refused_and_does_not_hang(tmp_path: Path, inside: bool) -> None:
    os.mkfifo(tmp_path / "t.csv")
    train = tmp_path if inside else tmp_path / "t.csv"
    command = [sys.executable, "-m", "stream.cli", "baseline", str(train), "--out", "b"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "t.csv: is not a regular file: training data are read twice" in done.stderr
