"""The order in which names were changed counts."""

from __future__ import annotations

from savant_reid.sinks.repairs import Repairs

TRACK = ("hall", 8)


def test_a_split_does_not_concern_who_got_that_name_later():
    """The track's first person was not 10 but 14; the one who came after was 13, who turned out to be 10."""
    repairs = Repairs()
    repairs.split(TRACK, 10, 14, None, 186)
    repairs.split(TRACK, 14, 13, 214, 220)
    repairs.merge(13, 10, after_rows=True)
    said = {170: 10, 190: 14, 216: 14, 240: 13}
    assert {at: repairs.final_id("hall", at, 8, name, at) for at, name in said.items()} == {
        170: 14,
        190: 14,
        216: 10,
        240: 10,
    }


def test_a_split_holds_when_the_name_is_merged_later():
    repairs = Repairs()
    repairs.split(TRACK, 10, 14, None, 186)
    repairs.merge(10, 3, after_rows=True)
    assert repairs.final_id("hall", 170, 8, 10, 170) == 14
    assert repairs.final_id("hall", 170, 9, 10, 170) == 3


def test_a_split_of_a_name_reaches_rows_that_were_merged_into_it_before():
    repairs = Repairs()
    repairs.merge(13, 10, after_rows=True)
    repairs.split(TRACK, 10, 15, None, 400)
    assert repairs.final_id("hall", 240, 8, 13, 240) == 15


def test_a_second_split_of_a_name_does_not_undo_the_first_one():
    """From 52 on it was 14; what was left to 8 was found to be 17 later."""
    repairs = Repairs()
    repairs.split(TRACK, 8, 14, 52, 55)
    repairs.split(TRACK, 8, 17, None, 140)
    assert [repairs.final_id("hall", at, 8, 8, at) for at in (50, 53)] == [17, 14]
