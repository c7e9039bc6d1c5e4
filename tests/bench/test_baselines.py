from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from savant_reid.bench.baselines.greedy_tracklets import greedy_tracklets
from savant_reid.bench.baselines.micro_track import micro_track
from savant_reid.bench.baselines.nearest_neighbour import nearest_neighbour
from savant_reid.bench.baselines.oracle_tracks import majority, oracle_tracks
from savant_reid.bench.baselines.strong import strong
from savant_reid.bench.baselines.sweep import Tuned, best_value, climb, sample_of, steps
from savant_reid.bench.gatherer import gather
from savant_reid.bench.rows import Rows
from savant_reid.bench.scores import score
from tests.bench.scenes import HandMade, axis, make_rows, walks

BASELINES: list[Callable[[Rows], Tuned]] = [
    nearest_neighbour,
    micro_track,
    greedy_tracklets,
    lambda rows: strong(rows, {}),
]


@pytest.mark.parametrize("baseline", BASELINES, ids=["nearest_neighbour", "micro_track", "greedy", "strong"])
def test_the_obvious_is_found(baseline: Callable[[Rows], Tuned]) -> None:
    """Three people whom any embedding tells apart."""
    rows = gather(HandMade())
    found = score(rows, baseline(rows).answers)
    assert found.idf1 == 1.0
    assert found.identities == 3


def test_oracle_is_perfect_on_whole_tracks() -> None:
    rows = gather(HandMade())
    assert score(rows, oracle_tracks(rows)).hota == 1.0


def test_oracle_gives_a_swapped_track_to_the_majority() -> None:
    rows = make_rows([*walks((0, 0, 1, 0, 6), (1, 0, 1, 6, 10)), *((1, float(s), 5, -1, None) for s in range(3))])
    assert majority(rows).tolist() == [0, -1]
    assert score(rows, oracle_tracks(rows)).idf1 == pytest.approx(2 * 6 / (10 + 13))


def test_strong_keeps_two_of_one_camera_apart() -> None:
    """Twins side by side: appearance says one, the picture says two."""
    seen = [(0, float(s), 1 + p, p, axis(0)) for s in range(5) for p in range(2)]
    # Somebody else on each camera, so that taking off the camera's mean leaves something.
    seen += [(c, 20.0 + s, 50, 2, axis(3)) for s in range(8) for c in range(2)]
    rows = make_rows(seen)
    label = strong(rows, {}).answers.global_id
    assert set(label[rows.person == 0]).isdisjoint(label[rows.person == 1])


def test_strong_is_told_apart_by_windows() -> None:
    """Two look-alikes leave camera 0; who arrives at camera 1 in time is the second of them."""
    rng = np.random.default_rng(3)
    look = axis(0) + 0.05 * rng.standard_normal((60, 8)).astype(np.float32)
    visits = walks((0, 0, 1, 0, 5), (1, 0, 2, 100, 105), (1, 1, 1, 110, 115), (2, 0, 3, 200, 210), (2, 1, 3, 220, 230))
    seen = [(c, s, t, p, look[i] if p < 2 else axis(5)) for i, (c, s, t, p, _) in enumerate(visits)]
    rows = make_rows(seen)
    tuned = strong(rows, {("camera-0", "camera-1"): (2.0, 20.0)})
    label = tuned.answers.global_id
    assert len(set(label[rows.person == 1])) == 1


def test_refining_finds_the_top() -> None:
    value, reached = best_value(lambda x: -((x - 0.437) ** 2), steps(0.0, 1.0, 0.1), rounds=3)
    assert value == pytest.approx(0.437, abs=0.01)
    assert reached <= 0


def test_small_recordings_are_swept_whole() -> None:
    rows = gather(HandMade())
    assert sample_of(rows) is rows


def test_a_part_of_a_recording_scores_like_itself() -> None:
    rows = gather(HandMade())
    part = rows.until(len(rows) // 2)
    assert score(part, oracle_tracks(part)).idf1 == 1.0
    assert part.people < rows.people or part.tracks < rows.tracks


def test_climbing_finds_the_top_of_a_hill() -> None:
    best, reached = climb(lambda v: -((v[0] - 0.3) ** 2) - (v[1] + 0.2) ** 2, (0.0, 0.0), (0.1, 0.1), most=60)
    assert best == pytest.approx((0.3, -0.2), abs=0.03)
    assert reached <= 0
