"""Files whose content is taken once it is complete, however it was written."""

from __future__ import annotations

import os
from pathlib import Path

from stream.service.watched_files import WatchedFiles


def watched(folder: Path) -> tuple[Path, WatchedFiles]:
    path = folder / "limits.json"
    path.write_text("one")
    return path, WatchedFiles([path, folder / "absent.json"])


def test_nothing_has_changed_until_something_is_written(tmp_path: Path) -> None:
    _, files = watched(tmp_path)
    assert [files.changed() for _ in range(3)] == [False] * 3


def test_a_change_counts_once_after_a_poll_without_another(tmp_path: Path) -> None:
    path, files = watched(tmp_path)
    path.write_text("two")
    assert [files.changed() for _ in range(4)] == [False, True, False, False]


def test_a_file_that_is_still_written_does_not_count(tmp_path: Path) -> None:
    path, files = watched(tmp_path)
    for length in range(4, 9):
        path.write_text("x" * length)
        assert not files.changed()
    assert files.changed()


def test_a_file_that_was_replaced_by_one_of_the_same_size_counts(tmp_path: Path) -> None:
    """As an editor does that writes beside the file and renames, keeping the time."""
    path, files = watched(tmp_path)
    state = path.stat()
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.rename(path)
    assert [files.changed() for _ in range(3)] == [False, True, False]


def test_a_link_to_another_folder_counts(tmp_path: Path) -> None:
    """As a ConfigMap is exchanged: the file is a link through a link that is replaced."""
    for name, text in (("old", "one"), ("new", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "limits.json").write_text(text)
    data, path = tmp_path / "..data", tmp_path / "limits.json"
    data.symlink_to("old")
    path.symlink_to("..data/limits.json")
    files = WatchedFiles([path])
    following = tmp_path / "..data_tmp"
    following.symlink_to("new")
    following.rename(data)
    assert [files.changed() for _ in range(3)] == [False, True, False]


def test_the_same_content_written_again_is_no_change(tmp_path: Path) -> None:
    path, files = watched(tmp_path)
    path.unlink()
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    assert [files.changed() for _ in range(3)] == [False] * 3


def test_a_file_that_appears_or_is_removed_counts(tmp_path: Path) -> None:
    path, files = watched(tmp_path)
    (tmp_path / "absent.json").write_text("")
    assert [files.changed() for _ in range(2)] == [False, True]
    path.unlink()
    assert [files.changed() for _ in range(2)] == [False, True]


def test_a_content_that_was_taken_does_not_count(tmp_path: Path) -> None:
    path, files = watched(tmp_path)
    path.write_text("two")
    files.take()
    assert [files.changed() for _ in range(2)] == [False, False]
