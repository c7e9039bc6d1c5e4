"""The four small filters against the dense form of the papers: 8x8 covariance, matrix algebra, one track at a time."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.hosts.local.kalman import KalmanTracks, boxes_to_xyah, xyah_to_boxes


class DenseKalman:
    """Wojke et al. 2017, written out with matrices."""

    def __init__(self, box: np.ndarray) -> None:
        z = boxes_to_xyah(box[None])[0]
        h = z[3]
        self.mean = np.append(z, np.zeros(4))
        stds = [h / 10, h / 10, 1e-2, h / 10, h / 16, h / 16, 1e-5, h / 16]
        self.covariance = np.diag(np.square(stds))

    def predict(self) -> None:
        h = self.mean[3]
        move = np.eye(8) + np.eye(8, k=4)
        noise = np.diag(np.square([h / 20, h / 20, 1e-2, h / 20, h / 160, h / 160, 1e-5, h / 160]))
        self.mean = move @ self.mean
        self.covariance = move @ self.covariance @ move.T + noise

    def correct(self, box: np.ndarray) -> None:
        h = self.mean[3]
        measure = np.eye(4, 8)
        noise = np.diag(np.square([h / 20, h / 20, 1e-1, h / 20]))
        innovation = measure @ self.covariance @ measure.T + noise
        gain = self.covariance @ measure.T @ np.linalg.inv(innovation)
        self.mean = self.mean + gain @ (boxes_to_xyah(box[None])[0] - measure @ self.mean)
        self.covariance = self.covariance - gain @ innovation @ gain.T


def test_equals_the_dense_filter_over_many_frames() -> None:
    random = np.random.default_rng(0)
    boxes = random.uniform([0, 0, 30, 60], [500, 300, 80, 200], (5, 4))
    ours = KalmanTracks.start(boxes)
    dense = [DenseKalman(box) for box in boxes]
    for _ in range(40):
        ours.predict(np.ones(5, bool))
        for one in dense:
            one.predict()
        boxes = boxes + random.normal(0, 2, boxes.shape)
        seen = np.flatnonzero(random.random(5) < 0.7)
        ours.correct(seen, boxes[seen])
        for row in seen:
            dense[row].correct(boxes[row])
        np.testing.assert_allclose(np.hstack([ours.position, ours.velocity]), [d.mean for d in dense], rtol=1e-9)
        full = np.array([d.covariance for d in dense])
        axis = np.arange(4)
        np.testing.assert_allclose(ours.var, full[:, axis, axis], rtol=1e-9)
        np.testing.assert_allclose(ours.cov, full[:, axis, axis + 4], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(ours.vel_var, full[:, axis + 4, axis + 4], rtol=1e-9)


def test_several_steps_are_as_many_single_ones() -> None:
    boxes = np.array([[10, 20, 40, 100], [300, 50, 60, 160]], np.float32)
    at_once, one_by_one = KalmanTracks.start(boxes), KalmanTracks.start(boxes)
    for filters in (at_once, one_by_one):
        filters.predict(np.ones(2, bool))
        filters.correct(np.arange(2), boxes + np.float32([5, 0, 0, 0]))
    at_once.predict(np.ones(2, bool), steps=3)
    for _ in range(3):
        one_by_one.predict(np.ones(2, bool))
    np.testing.assert_array_equal(at_once.position, one_by_one.position)
    np.testing.assert_array_equal(at_once.var, one_by_one.var)


def test_only_the_moving_are_moved() -> None:
    filters = KalmanTracks.start(np.array([[0, 0, 10, 20], [50, 0, 10, 20]], np.float32))
    filters.velocity[:] = 1.0
    filters.predict(np.array([True, False]))
    assert filters.position[0, 0] == pytest.approx(6.0)
    assert filters.position[1, 0] == pytest.approx(55.0)


def test_boxes_survive_the_way_there_and_back() -> None:
    boxes = np.array([[1.5, 2.5, 30.0, 90.0]])
    np.testing.assert_allclose(xyah_to_boxes(boxes_to_xyah(boxes)), boxes)
