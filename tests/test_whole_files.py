from __future__ import annotations

from pathlib import Path

import pytest

from savant_reid.errors import OutputError
from savant_reid.whole_files import replacing, temporary_of


def test_the_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary == temporary_of(path)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("error", "told"), [(OSError(28, "No space left"), OutputError), (ValueError, ValueError)])
def test_what_breaks_off_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, error, told) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(told):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_the_file_that_it_led_to_stays(tmp_path: Path) -> None:
    (tmp_path / "original").write_text("mine")
    link = tmp_path / "site.yml"
    link.symlink_to(tmp_path / "original")
    with replacing(link) as temporary:
        temporary.write_text("copy")
    assert (link.is_symlink(), link.read_text()) == (False, "copy")
    assert (tmp_path / "original").read_text() == "mine"


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    path = tmp_path / "folder" / "metrics.json"
    told = pytest.raises(OutputError, match=r"metrics\.json: the last words were lost: Not a directory")
    with told, replacing(path, "the last words were lost") as temporary:
        temporary.write_text("new")
