"""Small cases with the arithmetic beside them.

Boxes are 10 x 10; a box moved by d pixels has IoU (10 - d) / (10 + d).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from savant_reid.errors import DataError
from savant_reid.evaluation import Tracks, evaluate
from savant_reid.evaluation.hota import ALPHAS, alignment, hota
from savant_reid.evaluation.overlap import find_overlaps

Make = Callable[[Iterable[Any]], Tracks]
A, B = "a", "b"


def person(camera: str, frames: range, global_id: int, left: float = 0, track: int | None = 1) -> list[Any]:
    return [(camera, frame, track, global_id, left) for frame in frames]


def test_a_perfect_result(tracks: Make) -> None:
    rows = person(A, range(5), 1) + person(B, range(5), 1) + person(B, range(5), 2, left=50, track=2)
    scores = evaluate(tracks(rows), tracks(rows))
    for score in (scores.overall, *scores.cameras.values()):
        assert (score.idf1, score.idp, score.idr, score.hota, score.deta, score.assa, score.mota) == (1,) * 7
        assert (score.precision, score.recall, score.id_switches) == (1, 1, 0)
    assert (scores.overall.truth_identities, scores.overall.result_identities) == (2, 2)
    assert (scores.overall.truth_boxes, scores.overall.result_boxes) == (15, 15)


def test_one_person_in_two_cameras_whose_identity_switches_half_way(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1) + person(B, range(4), 1))
    result = tracks(person(A, range(4), 7) + person(B, range(2), 7) + person(B, range(2, 4), 8, track=2))
    scores = evaluate(truth, result)
    # Truth 1 goes to result 7: IDTP = 4 + 2 = 6, IDFP = IDFN = 2. IDF1 = 2 * 6 / (8 + 8).
    assert scores.overall.idf1 == scores.overall.idp == scores.overall.idr == 0.75
    assert (scores.overall.precision, scores.overall.recall, scores.overall.id_switches) == (1, 1, 1)
    # MOTA = 1 - (0 misses + 0 false positives + 1 switch) / 8.
    assert scores.overall.mota == 0.875
    # All boxes fit at every threshold: DetA = 1. A(c) of the 6 matches with 7 is 6 / (8 + 6 - 6), of the 2 with 8 is
    # 2 / (8 + 2 - 2): AssA = (6 * 6/8 + 2 * 2/8) / 8 = 0.625.
    assert scores.overall.deta == 1
    assert scores.overall.assa == pytest.approx(0.625)
    assert scores.overall.hota == pytest.approx(np.sqrt(0.625))
    # Camera a alone has no fault; camera b alone is cut in two halves: IDTP = 2 of 4.
    assert scores.cameras[A].idf1 == 1
    assert scores.cameras[B].idf1 == 0.5
    assert (scores.cameras[A].id_switches, scores.cameras[B].id_switches) == (0, 1)


def test_single_camera_tracks_alone_lose_the_person_at_the_door(tracks: Make) -> None:
    rows = person(A, range(6), 1) + person(B, range(2), 1)
    truth = result = tracks(rows)
    assert evaluate(truth, result).overall.idf1 == 1
    alone = evaluate(truth, result, identity="track").overall
    # Track 1 of a and track 1 of b are two identities: IDTP = 6. IDF1 = 2 * 6 / (8 + 8).
    assert alone.idf1 == 0.75
    assert (alone.result_identities, alone.id_switches) == (2, 1)


def test_hota_at_known_thresholds(tracks: Make) -> None:
    # Three frames: an exact box (IoU 1), one moved by 2 px (8/12 = 0.667), one by 5 px (5/15 = 0.333).
    truth = tracks(person(A, range(3), 1))
    result = tracks([(A, 0, 1, 9, 0.0), (A, 1, 1, 9, 2.0), (A, 2, 1, 9, 5.0)])
    per_alpha = hota(find_overlaps(truth, result, "global_id"))
    at = {round(float(alpha), 2): index for index, alpha in enumerate(ALPHAS)}
    # alpha <= 0.3: 3 matches, DetA = 3 / 3, A(c) = 3 / 3.
    assert per_alpha.hota[at[0.30]] == 1
    # 0.35 ... 0.65: 2 matches, 1 miss, 1 false positive: DetA = 2 / 4; A(c) = 2 / (2 + 1 + 1): HOTA = 0.5.
    assert per_alpha.deta[at[0.35]] == per_alpha.assa[at[0.65]] == per_alpha.hota[at[0.50]] == 0.5
    # From 0.7 on: 1 match, DetA = 1 / 5, A(c) = 1 / 5.
    assert per_alpha.hota[at[0.70]] == pytest.approx(0.2)
    # The mean: 6 thresholds at 1, 7 at 0.5, 6 at 0.2.
    assert evaluate(truth, result).overall.hota == pytest.approx((6 * 1 + 7 * 0.5 + 6 * 0.2) / 19)


def test_iou_threshold_counts_from_itself_on(tracks: Make) -> None:
    truth, result = tracks(person(A, range(3), 1)), tracks(person(A, range(3), 1, left=5.0))  # IoU 1/3
    assert evaluate(truth, result).overall.recall == 0
    assert evaluate(truth, result, iou_threshold=1 / 3).overall.recall == 1


def test_the_nearer_box_is_the_match(tracks: Make) -> None:
    # In frame 0 two people 3 px apart (IoU 7/13) may both be either result; in frame 1 it shows who was who.
    truth = tracks([(A, 0, 1, 1, 0.0), (A, 0, 2, 2, 3.0), (A, 1, 1, 1, 0.0), (A, 1, 2, 2, 50.0)])
    score = evaluate(truth, truth).overall
    assert (score.id_switches, score.mota, score.idf1, score.assa) == (0, 1, 1, 1)


def test_precision_and_recall_with_a_miss_and_two_false_alarms(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1))
    result = tracks([*person(A, range(3), 1), (A, 0, 8, 5, 200.0), (A, 3, 9, 6, 200.0)])
    score = evaluate(truth, result).overall
    # TP 3, FN 1, FP 2.
    assert (score.precision, score.recall) == (3 / 5, 3 / 4)
    assert score.mota == 1 - (1 + 2) / 4
    assert score.idf1 == 2 * 3 / (4 + 5)


def test_rows_without_an_identity_are_false_identities_one_per_track(tracks: Make) -> None:
    truth = tracks(person(A, range(2), 1) + person(A, range(2), 2, left=50, track=2) + person(B, range(4), 1))
    result = tracks(
        person(A, range(2), -1, track=1) + person(A, range(2), -1, left=50, track=2) + person(B, range(4), -1, track=1)
    )
    score = evaluate(truth, result).overall
    assert score.result_identities == 3
    # Found all, named nobody: as one shared "-1", IDTP would be 6. As three identities: 1 takes b's (4), 2 takes a's
    # second (2), a's first is left: IDTP = 6 of 8 - what single-camera tracks alone would score, and no more.
    assert (score.precision, score.recall) == (1, 1)
    assert score.idf1 == evaluate(truth, result, identity="track").overall.idf1 == 2 * 6 / (8 + 8)


def test_an_identity_shared_inside_a_frame_is_a_false_one_and_counted(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1) + person(A, range(4), 2, left=50, track=2))
    result = tracks([*person(A, range(4), 1), *person(A, range(3), 1, left=50, track=2), (A, 3, 2, 2, 50.0)])
    scores = evaluate(truth, result)
    # Three rows of track 2 claim 1's identity: they become track 2's own, which person 2 gets. IDTP = 4 + 3 of 8.
    assert (scores.overall.shared_ids, scores.cameras[A].shared_ids) == (3, 3)
    assert scores.overall.idf1 == 2 * 7 / (8 + 8)
    assert (scores.overall.result_identities, scores.overall.id_switches) == (3, 1)
    assert evaluate(truth, result, identity="track").overall.shared_ids == 0


def test_rows_with_neither_identity_nor_track_stand_alone(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1))
    result = tracks(person(A, range(4), -1, track=None))
    score = evaluate(truth, result).overall
    assert (score.recall, score.result_identities, score.id_switches) == (1, 4, 3)
    assert score.idf1 == 2 * 1 / (4 + 4)


def test_the_id_minus_one_of_a_track_is_not_the_track_with_an_identity(tracks: Make) -> None:
    # A track is unknown first, then named: two identities, IDTP = the longer part.
    truth = tracks(person(A, range(5), 1))
    result = tracks(person(A, range(2), -1) + person(A, range(2, 5), 1))
    assert evaluate(truth, result).overall.idf1 == 2 * 3 / (5 + 5)
    assert evaluate(truth, result, identity="track").overall.idf1 == 1


def test_a_camera_only_in_the_truth_is_all_misses(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1) + person(B, range(4), 1))
    scores = evaluate(truth, tracks(person(A, range(4), 1)))
    assert scores.only_in_truth == (B,)
    assert (scores.overall.recall, scores.overall.precision) == (0.5, 1)
    missed = scores.cameras[B]
    assert (missed.recall, missed.precision, missed.hota, missed.idf1, missed.result_boxes) == (0, None, 0, 0, 0)


def test_a_camera_only_in_the_result_is_all_false_positives(tracks: Make) -> None:
    truth = tracks(person(A, range(4), 1))
    scores = evaluate(truth, tracks(person(A, range(4), 1) + person("attic", range(4), 1)))
    assert scores.only_in_result == ("attic",)
    assert (scores.overall.recall, scores.overall.precision) == (1, 0.5)
    invented = scores.cameras["attic"]
    assert (invented.recall, invented.precision, invented.mota, invented.truth_boxes) == (None, 0, None, 0)


def test_an_empty_result_scores_nothing(tracks: Make) -> None:
    score = evaluate(tracks(person(A, range(4), 1)), tracks([])).overall
    assert (score.idf1, score.hota, score.recall, score.precision, score.mota) == (0, 0, 0, None, 0)


def test_same_frame_number_in_two_cameras_is_not_one_moment(tracks: Make) -> None:
    truth = tracks(person(A, range(2), 1))
    assert evaluate(truth, tracks(person(B, range(2), 1))).overall.recall == 0


def test_order_of_rows_does_not_matter(tracks: Make) -> None:
    rows = person(A, range(6), 1) + person(B, range(6), 2, left=3) + person(A, range(6), 2, left=50, track=2)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    assert evaluate(tracks(rows), tracks(shuffled)).overall == evaluate(tracks(rows), tracks(rows)).overall


def test_a_truth_without_rows_or_names_is_refused(tracks: Make) -> None:
    some = tracks(person(A, range(2), 1))
    with pytest.raises(DataError, match="truth has no rows"):
        evaluate(tracks([]), some)
    with pytest.raises(DataError, match="2 of 2 rows without a global_id"):
        evaluate(tracks(person(A, range(2), -1)), some)
    with pytest.raises(DataError, match="global_id 1 twice in frame 0 of a"):
        evaluate(tracks(person(A, range(2), 1) + person(A, range(2), 1, left=50, track=2)), some)
    with pytest.raises(ValueError, match="IoU threshold"):
        evaluate(some, some, iou_threshold=0)


def test_hota_shares_an_overlap_out_among_neighbours(tracks: Make) -> None:
    # One frame, one person, two results: exact (IoU 1) and 5 px off (IoU 1/3). The person's overlaps sum to 4/3.
    overlaps = find_overlaps(tracks([(A, 0, 1, 1, 0.0)]), tracks([(A, 0, 1, 7, 0.0), (A, 0, 2, 8, 5.0)]), "global_id")
    # Shares: 1 / (4/3 + 1 - 1) = 3/4 and 1/3 / (4/3 + 1/3 - 1/3) = 1/4; alignment = share / (1 + 1 - share).
    ours = alignment(overlaps, np.array([0, 0]), np.array([0, 1]))
    np.testing.assert_allclose(ours, [0.75 / 1.25, 0.25 / 1.75])
