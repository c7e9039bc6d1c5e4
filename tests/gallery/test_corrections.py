from __future__ import annotations

import json

import pytest

from savant_reid.errors import DataError
from savant_reid.gallery.corrections import (
    Corrections,
    Merge,
    Split,
    add_correction,
    forget_corrections,
    load_corrections,
    merge_line,
    split_line,
)
from savant_reid.identity.constraints import Span

A, B, C = Span("door", 1, 0, 10), Span("hall", 2, 20, 30), Span("yard", 3, 40, 50)
MERGE = Merge((1, 2), ((A,), (B, C)))
SPLIT = Split(1, 9, B, None, (A,))


def written(path, *corrections):
    for one in corrections:
        add_correction(path, merge_line(one) if isinstance(one, Merge) else split_line(one))
    return load_corrections(path)


def test_a_missing_file_holds_none(tmp_path):
    assert load_corrections(tmp_path / "none") == Corrections()


@pytest.mark.parametrize("one", [MERGE, SPLIT, Split(1, 9, B, 25, (A,))])
def test_what_is_written_is_loaded(tmp_path, one):
    found = written(tmp_path / "c", one)
    assert found == (Corrections(merges=(one,)) if isinstance(one, Merge) else Corrections(splits=(one,)))
    line = json.loads((tmp_path / "c").read_text())
    assert line["schema"] == "savant-reid/correction/1"
    assert line["decided_at"].endswith("+00:00")


def test_a_later_split_takes_its_track_out_of_a_merge(tmp_path):
    found = written(tmp_path / "c", MERGE, SPLIT)
    assert found.merges == (Merge((1, 2), ((A,), (C,))),)
    assert found.splits == (SPLIT,)


def test_a_merge_of_which_nothing_is_left_goes(tmp_path):
    assert written(tmp_path / "c", Merge((1, 2), ((A,), (B,))), SPLIT).merges == ()


def test_a_split_within_a_track_leaves_the_part_before_it(tmp_path):
    later = Split(1, 9, Span("hall", 2, 25, 30), 25, (A,))
    assert written(tmp_path / "c", MERGE, later).merges == (Merge((1, 2), ((A,), (Span("hall", 2, 20, 24), C))),)


@pytest.mark.parametrize("sides", [((A,), (B,)), ((B, C), (A,))])
def test_a_later_merge_takes_a_split_back(tmp_path, sides):
    found = written(tmp_path / "c", SPLIT, Merge((1, 9), sides))
    assert found == Corrections(merges=(Merge((1, 9), sides),))


def test_a_merge_of_others_leaves_a_split_alone(tmp_path):
    assert written(tmp_path / "c", SPLIT, Merge((1, 4), ((A,), (C,)))).splits == (SPLIT,)


def test_nothing_is_kept_of_who_is_forgotten_but_the_number(tmp_path):
    written(tmp_path / "c", MERGE, SPLIT, Merge((5, 6), ((A,), (C,))))
    forget_corrections(tmp_path / "c", [1, 2])
    found = load_corrections(tmp_path / "c")
    assert found == Corrections(merges=(Merge((5, 6), ((A,), (C,))),), forgotten=(1, 2))
    assert "track_id" not in (tmp_path / "c").read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense\n", "one JSON object a line"),
        ("[1]\n", "one JSON object a line"),
        ('{"kind":"swap"}\n', "line 1: expected a correction"),
        ('{"kind":"merge","ids":[1,2]}\n', "line 1: .*'tracks'"),
        ('{"kind":"merge","ids":[1,2,3],"tracks":[[],[]]}\n', "line 1"),
        ('{"kind":"forget","ids":["one"]}\n', "line 1: .*expected an integer, found 'one'"),
        ('{"kind":"forget","ids":[1]}\n\n{"kind":"forget","ids":[true]}\n', "line 2: .*found True"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "c").write_text(text)
    with pytest.raises(DataError, match=message):
        load_corrections(tmp_path / "c")
