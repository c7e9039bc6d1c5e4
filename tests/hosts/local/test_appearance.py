from __future__ import annotations

import numpy as np

from savant_reid.hosts.local.appearance import MeanLooks

NOTHING = np.full(2, np.nan, np.float32)


def looks(*rows: object) -> np.ndarray:
    return np.array(rows, np.float32)


def test_a_mean_keeps_most_of_what_it_was() -> None:
    means = MeanLooks(keep_share=0.75)
    means.start(1)
    for row in ([2, 0], NOTHING, [0, 5]):
        means.add(np.array([0]), looks(row))
    x, y = 1 - means.distances(looks([1, 0], [0, 1]))[0]
    np.testing.assert_allclose([x, y], np.array([0.75, 0.25]) / np.hypot(0.75, 0.25), rtol=1e-6)


def test_who_has_no_look_has_no_distance() -> None:
    means = MeanLooks()
    means.start(2)
    assert np.isnan(means.distances(looks([1, 0]))).all()
    means.add(np.array([1]), looks([1, 0]))
    np.testing.assert_array_equal(means.distances(looks([1, 0], NOTHING)), [[np.nan, np.nan], [0, np.nan]])


def test_tracks_leave_and_new_ones_come_after_the_others() -> None:
    means = MeanLooks()
    means.start(2)
    means.add(np.array([0, 1]), looks([1, 0], [0, 1]))
    means.keep(np.array([False, True]))
    means.start(1)
    np.testing.assert_array_equal(means.distances(looks([0, 1])), [[0], [np.nan]])
