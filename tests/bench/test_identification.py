from __future__ import annotations

import numpy as np
import pytest

from savant_reid.bench.answers import Answers, answers_of_tracks
from savant_reid.bench.identification import rates
from tests.bench.scenes import SECOND_NS, make_rows, walks

# Tracks in the order of appearance: 0 and 1 bring new people, 2 and 3 show person 0 again, 4 brings person 2.
SEEN = walks((0, 0, 1, 0, 5), (1, 0, 2, 1, 6), (0, 1, 1, 10, 15), (0, 0, 3, 20, 25), (2, 1, 9, 30, 35))


@pytest.mark.parametrize(
    ("labels", "fpir", "fnir"),
    [
        ([0, 1, 0, 0, 2], 0, 0),
        ([0, 1, 0, 0, 1], 1 / 3, 0),  # the third newcomer is taken for person 1
        ([0, 1, 5, 0, 2], 0, 1 / 2),  # person 0 comes back under a new name, then under the old one
        ([0, 1, -1, -1, -1], 0, 1),  # nobody is ever named again: everybody known is missed
        ([0, 0, 0, 0, 0], 2 / 3, 0),  # all are one
    ],
)
def test_by_hand(labels: list[int], fpir: float, fnir: float) -> None:
    rows = make_rows(SEEN)
    found = rates(rows, answers_of_tracks(rows, np.array(labels)))
    assert (found.fpir, found.fnir) == pytest.approx((fpir, fnir))
    assert (found.first_tracks, found.later_tracks) == (3, 2)


def test_what_is_not_confirmed_is_no_answer() -> None:
    rows = make_rows(SEEN)
    said = answers_of_tracks(rows, np.array([0, 1, 0, 0, 1]))
    doubtful = Answers(said.global_id, rows.time_ns < 20 * SECOND_NS)
    found = rates(rows, doubtful, confirmed_only=True)
    assert (found.fpir, found.fnir) == (0, 0.5)


def test_a_merge_counts_from_when_it_is_made() -> None:
    """Person 0 is 7 in the second track; the merge at second 17 is too late for that one, in time for the next."""
    rows = make_rows(SEEN)
    said = answers_of_tracks(rows, np.array([0, 1, 7, 0, 2])).global_id
    said[(rows.track == 3)] = 7
    merged = Answers(said, said >= 0, ((17 * SECOND_NS, 7, 0),))
    assert rates(rows, merged).fnir == 0.5
    assert rates(rows, Answers(said, said >= 0)).fnir == 1.0


def test_a_swapped_track_speaks_for_whom_it_mostly_shows() -> None:
    """The last second of track 1 shows person 1; that its name is wrong there is not counted against person 0."""
    seen = walks((0, 0, 1, 0, 5), (1, 0, 1, 5, 6), (1, 1, 2, 10, 15))
    rows = make_rows(seen)
    found = rates(rows, answers_of_tracks(rows, np.array([4, 5])))
    assert (found.fpir, found.fnir, found.first_tracks, found.later_tracks) == (0, 0, 2, 0)


def test_ghosts_are_left_out() -> None:
    seen = [*SEEN, *((0, 40.0 + s, 77, -1, None) for s in range(3))]
    rows = make_rows(seen)
    assert rates(rows, answers_of_tracks(rows, np.array([0, 1, 0, 0, 2, 1]))) == (0, 0, 3, 2)
