"""Which crops a tracklet keeps, and what they say together: by hand."""

from __future__ import annotations

import numpy as np

from savant_reid.identity.crops import FIRST_ROWS, Crops

NO_MEAN = np.zeros((1, 2), np.float32)


def filled(crops: Crops, *kept: tuple[list[float], float, int]) -> int:
    """A row with crops of (vector, quality, time)."""
    row = crops.take_row()
    for vector, quality, at_ns in kept:
        put(crops, row, vector, quality, at_ns)
    return row


def put(crops: Crops, row: int, vector: list[float], quality: float, at_ns: int) -> None:
    crops.add(np.array([row]), np.array([vector], np.float32), np.array([quality], np.float32), np.array([at_ns]))


def times(crops: Crops, row: int) -> list[int]:
    return crops.times_ns[row, : crops.count[row]].tolist()


def test_two_crops_are_weighed_by_their_quality():
    crops = Crops(2, 4)
    row = filled(crops, ([1, 0], 0.75, 1), ([0, 1], 0.25, 2))
    np.testing.assert_allclose(crops.robust_means(np.array([row]), NO_MEAN), [[0.75, 0.25]], atol=1e-6)


def test_of_three_crops_the_one_least_like_the_others_is_left_out():
    crops = Crops(2, 4)
    row = filled(crops, ([1, 0], 0.5, 1), ([-1, 0], 0.9, 2), ([0.6, 0.8], 0.5, 3))
    # The mean of all is (-0.05, 0.21): alike -0.05, 0.05 and 0.14. The first is least like it, whoever it was.
    np.testing.assert_allclose(
        crops.robust_means(np.array([row]), NO_MEAN), [[(-0.9 + 0.3) / 1.4, 0.4 / 1.4]], atol=1e-6
    )


def test_what_the_camera_adds_does_not_decide_who_is_least_alike():
    """Plainly the third is least alike (0.6, 0.8, 0.53), without the camera's mean the first (0, 0.32, 0.53)."""
    crops = Crops(2, 4)
    row = filled(crops, ([1, 0], 1.0, 1), ([0.8, 0.6], 1.0, 2), ([0, 1], 1.0, 3))
    plainly = crops.robust_means(np.array([row]), NO_MEAN)
    np.testing.assert_allclose(plainly, [[0.9, 0.3]], atol=1e-6)
    centred = crops.robust_means(np.array([row]), np.array([[0.6, 0.0]], np.float32))
    np.testing.assert_allclose(centred, [[0.4, 0.8]], atol=1e-6)


def test_rows_are_judged_each_for_itself():
    crops = Crops(2, 4)
    one = filled(crops, ([1, 0], 0.5, 1))
    three = filled(crops, ([0, 1], 0.5, 1), ([0, 1], 0.5, 2), ([0, -1], 0.5, 3))
    empty = crops.take_row()
    means = crops.robust_means(np.array([one, three, empty]), np.zeros((3, 2), np.float32))
    np.testing.assert_allclose(means, [[1, 0], [0, 1], [0, 0]], atol=1e-6)


def test_the_poorest_crop_makes_room_and_the_order_of_time_stays():
    crops = Crops(2, 3)
    row = filled(crops, ([1, 0], 0.9, 1), ([1, 0], 0.2, 2), ([1, 0], 0.5, 3))
    put(crops, row, [0, 1], 0.1, 4)
    assert times(crops, row) == [1, 3, 4]
    put(crops, row, [0, 1], 0.8, 5)
    assert times(crops, row) == [1, 3, 5]
    np.testing.assert_allclose(crops.quality[row], [0.9, 0.5, 0.8], atol=1e-6)
    assert crops.vectors[row].tolist() == [[1, 0], [1, 0], [0, 1]]


def test_the_latest_crop_may_be_kept_however_poor():
    crops = Crops(2, 3)
    changing, sure = (filled(crops, *(([1, 0], 0.5 + 0.1 * at, at) for at in range(3))) for _ in range(2))
    for at in (3, 4, 5):
        rows, looks = np.array([changing, sure]), np.array([[0, 1]] * 2, np.float32)
        crops.add(rows, looks, np.full(2, 0.1, np.float32), np.full(2, at), np.array([True, False]))
    assert times(crops, changing) == [2, 4, 5]
    assert times(crops, sure) == [1, 2, 5]


def test_only_the_crops_of_a_time_are_asked_for():
    crops = Crops(2, 4)
    row = filled(crops, ([1, 0], 0.25, 10), ([0, 1], 0.5, 20), ([-1, 0], 0.75, 30))
    other = filled(crops, ([0, 1], 0.25, 15), ([1, 0], 0.75, 16))
    rows = np.array([row, row, other])
    between = crops.between(rows, np.array([10, 30, 10]), np.array([20, 40, 20]))
    assert between.sum(axis=1).tolist() == [1, 0, 2]
    np.testing.assert_allclose(crops.means_of(rows, between[:, None])[:, 0], [[0, 1], [0, 0], [0.75, 0.25]], atol=1e-6)
    assert not crops.between(np.array([-1]), np.array([0]), np.array([40])).any()


def test_two_rows_exchange_what_is_later():
    crops = Crops(2, 4)
    a = filled(crops, ([1, 0], 0.5, 1), ([1, 0], 0.5, 5), ([1, 0], 0.5, 6))
    b = filled(crops, ([0, 1], 0.25, 2), ([0, 1], 0.25, 7))
    crops.exchange_later(a, b, 4)
    assert (times(crops, a), times(crops, b)) == ([1, 7], [2, 5, 6])
    assert crops.vectors[a, :2].tolist() == [[1, 0], [0, 1]]
    assert crops.quality[b, :3].tolist() == [0.25, 0.5, 0.5]
    crops.exchange_later(a, b, 4)
    assert (times(crops, a), times(crops, b)) == ([1, 5, 6], [2, 7])


def test_later_crops_move_to_an_empty_row():
    crops = Crops(2, 4)
    source = filled(crops, ([1, 0], 0.5, 1), ([0, 1], 0.5, 3))
    target = crops.take_row()
    crops.move_later(source, target, 2)
    assert (times(crops, source), times(crops, target)) == ([1], [3])


def test_rows_given_back_are_used_again_and_come_empty():
    crops = Crops(2, 2)
    for _ in range(10 * FIRST_ROWS):
        row = filled(crops, ([1, 0], 0.5, 1))
        crops.give_back(row)
    assert len(crops.count) == FIRST_ROWS
    assert crops.count[crops.take_row()] == 0


def test_the_table_doubles_when_more_are_alive_and_keeps_what_is_in_it():
    crops = Crops(2, 2)
    rows = [filled(crops, ([1, 0], 0.5, at)) for at in range(FIRST_ROWS + 1)]
    assert len(set(rows)) == FIRST_ROWS + 1
    assert len(crops.count) == 2 * FIRST_ROWS
    assert [times(crops, row) for row in rows] == [[at] for at in range(FIRST_ROWS + 1)]
