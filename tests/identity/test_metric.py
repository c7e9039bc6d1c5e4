"""Cameras' means, the alarm, and the weights of directions: against numbers by hand and plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.metric import FOLD, MEMORY, RECENT, RIDGE, WITHIN_PRIOR, WITHIN_SHARE, Metric, unit

D = 32


def noise(seed: int, n: int, spread: float = 0.2, dimension: int = D) -> np.ndarray:
    return (spread * np.random.default_rng(seed).standard_normal((n, dimension))).astype(np.float32)


def put_to_use(metric: Metric, people: int = 1) -> None:
    """Whatever has been learned counts from now on, due or not."""
    metric._due = 0.0
    assert metric.refresh(people)


def test_a_cameras_mean_is_drawn_to_the_sites_and_that_to_zero():
    metric = Metric(3, 2)
    for camera, raw in [(0, (1, 0)), (0, (1, 0)), (0, (1, 0)), (1, (0, 1))]:
        metric.learn_camera(camera, np.array(raw, np.float32))
    assert metric.refresh(4)
    # The site: (3, 1) / (4 + 4). Each camera: (its sum + 8 of the site's) / (its number + 8).
    cameras = [[6 / 11, 1 / 11], [3 / 9, 2 / 9], [3 / 8, 1 / 8]]
    np.testing.assert_allclose(metric.means, [*cameras, np.mean(cameras, axis=0)], atol=1e-6)
    raw = np.array([[1, 0], [0, 1]], np.float32)
    np.testing.assert_allclose(metric.centred(np.array([0, 1]), raw), [[5 / 11, -1 / 11], [-1 / 3, 7 / 9]], atol=1e-6)


def test_old_light_fades():
    metric, total, count = Metric(1, D), np.zeros(D), 0.0
    for raw in noise(1, 700):
        metric.learn_camera(0, raw)
        fade = min(1.0, MEMORY / (count + 1.0))
        total, count = (total + raw) * fade, (count + 1.0) * fade
    assert count == pytest.approx(MEMORY)
    put_to_use(metric)
    expected = (total + 8 * total / (count + 4)) / (count + 8)
    np.testing.assert_allclose(metric.means[0], expected, atol=1e-6)


def test_a_camera_whose_light_changes_is_noticed_and_followed():
    metric, shift = Metric(2, D), np.zeros(D, np.float32)
    shift[0] = 0.5
    for raw in noise(2, 4 * RECENT):
        metric.learn_camera(0, raw)
        metric.learn_camera(1, raw)
    later = noise(3, RECENT) + shift
    for raw in later:
        metric.learn_camera(0, raw)
        metric.learn_camera(1, raw - shift)
    assert metric.drifts.tolist() == [1, 0]
    put_to_use(metric)
    assert metric.means[0, 0] > 0.35 > 0.05 > abs(metric.means[1, 0])


def test_an_alarm_puts_the_new_light_to_use_at_once():
    metric = Metric(1, D)
    for raw in noise(4, 4 * RECENT):
        metric.learn_camera(0, raw)
    assert metric.refresh(1)
    assert not metric.refresh(1)
    for raw in noise(5, RECENT) + 0.5:
        assert not metric.drifts.any()
        metric.learn_camera(0, raw)
    assert metric.refresh(1)


def test_no_false_alarm_while_the_light_stays():
    metric = Metric(1, D)
    for raw in noise(6, 100 * RECENT) + 0.3:
        metric.learn_camera(0, raw)
    assert metric.drifts.tolist() == [0]


def learn_residuals(metric: Metric, variances: np.ndarray, times: int) -> None:
    """Matches whose looks differ with exactly these variances, one direction after the other, from side to side."""
    d = len(variances)
    for step in range(times * d):
        side = np.zeros(d, np.float32)
        # Two single looks: their difference has twice the variance of each.
        side[step % d] = np.sqrt(2 * d * variances[step % d]) * (-1) ** (step // d)
        metric.learn_match(side, np.zeros(d, np.float32), 1.0, 1.0)


def test_after_many_matches_all_directions_vary_alike():
    variances = np.array([0.4, 0.1, 0.04, 0.01])
    metric = Metric(1, 4)
    learn_residuals(metric, variances, times=2 * FOLD)
    put_to_use(metric)
    transform = metric.look(np.eye(4, dtype=np.float32)) * np.linalg.norm(metric._transform, axis=1, keepdims=True)
    # Matches fade at 20 per dimension; the prior is worth half a match per dimension and knows of no variance.
    seen = 80 / (80 + WITHIN_PRIOR * 4)
    ridged = seen * np.diag(variances) + RIDGE * seen * variances.mean() * np.eye(4)
    np.testing.assert_allclose(transform.T @ ridged @ transform, np.eye(4), atol=1e-4)


def test_the_ridge_alone_keeps_the_weights_apart_from_full_whitening():
    """W^-1/2 W W^-1/2 is the identity but for the ridge: lambda / (lambda + ridge) in each direction, prior aside."""
    variances = np.array([0.4, 0.1, 0.04, 0.01])
    metric = Metric(1, 4)
    learn_residuals(metric, variances, times=2 * FOLD)
    put_to_use(metric)
    whitened = metric._transform.T @ np.diag(variances) @ metric._transform
    expected = variances / (variances + RIDGE * variances.mean())
    np.testing.assert_allclose(np.diag(whitened) / expected, 82 / 80, rtol=1e-3)
    assert np.abs(whitened - np.diag(np.diag(whitened))).max() < 1e-4


def test_before_there_are_matches_the_spread_of_all_tracklets_stands_in():
    """Covariance oracle: a third of the total, itself shrunk to all directions alike by the people known."""
    metric = Metric(1, 4)
    rows = noise(7, FOLD + 10, 1.0, 4) * np.array([2, 1, 0.5, 0.1], np.float32)
    for raw in rows:
        metric.learn_camera(0, raw)
    metric.refresh(6)
    total = rows.T.astype(np.float64) @ rows / len(rows)
    trust = 6 / (6 + 0.5 * 4)
    prior = WITHIN_SHARE * (trust * total + (1 - trust) * np.trace(total) / 4 * np.eye(4))
    prior += RIDGE * np.trace(prior) / 4 * np.eye(4)
    np.testing.assert_allclose(metric._transform.T @ prior @ metric._transform, np.eye(4), atol=1e-4)


def test_crops_of_one_track_weigh_directions_before_anybody_is_known_twice():
    metric, uneven = Metric(1, D), np.ones(D, np.float32)
    uneven[:4] = 5.0  # where crops of one track differ most
    for step in noise(8, 200) * uneven:
        metric.learn_crops(step[None])
    metric.learn_camera(0, noise(9, 1)[0])
    put_to_use(metric)
    differing, other = metric.look(np.eye(D, dtype=np.float32)[[0, 8]] + 0.2 * np.eye(D, dtype=np.float32)[[4, 9]])
    assert differing[0] / differing[4] < 0.8 * other[8] / other[9]


def test_crops_only_say_how_directions_compare_and_not_how_much_people_differ():
    rows, steps = noise(10, 40), noise(11, 100)
    transforms = []
    for size in (1.0, 9.0):
        metric = Metric(1, D)
        metric.learn_crops(size * steps)
        for row in rows:
            metric.learn_camera(0, row)
        put_to_use(metric)
        transforms.append(metric._transform)
    np.testing.assert_allclose(transforms[0], transforms[1], rtol=1e-3, atol=1e-3)


def test_a_match_counts_by_its_probability_and_the_prototypes_behind_it():
    """Half as probable twice is the same as once; a mean of three looks varies by a third of one look's variance."""
    sure, doubted = Metric(1, 4), Metric(1, 4)
    a, b = noise(8, 2, 1.0, 4)
    sure.learn_match(a, b, 3.0, 1.0)
    doubted.learn_match(a, b, 3.0, 0.5)
    doubted.learn_match(a, b, 3.0, 0.5)
    put_to_use(sure)
    put_to_use(doubted)
    np.testing.assert_allclose(sure._transform, doubted._transform, rtol=1e-5)
    np.testing.assert_allclose(sure._within, np.outer(a - b, a - b) / (1 + 1 / 3), rtol=1e-5)


def test_looks_have_unit_length_whatever_has_been_learned():
    metric, rows = Metric(1, 4), noise(9, 50, 1.0, 4)
    assert metric.look(np.zeros((1, 4), np.float32)).tolist() == [[0, 0, 0, 0]]
    for learned in (False, True):
        if learned:
            learn_residuals(metric, np.array([1.0, 0.1, 0.1, 0.001]), times=50)
            put_to_use(metric)
        np.testing.assert_allclose(np.linalg.norm(metric.look(rows), axis=1), 1.0, atol=1e-5)


def test_lessons_are_put_to_use_seldom_and_told_by_the_version():
    metric, used = Metric(1, 4), []
    for seen, raw in enumerate(noise(10, 60, 1.0, 4), start=1):
        metric.learn_camera(0, raw)
        if metric.refresh(1):
            used.append(seen)
    # Each time a third more, and one: 1 * 1.3 + 1 = 2.3, so 3; then 4.9, 7.5, 11.4, 16.6, 23.1 ...
    assert used == [1, 3, 5, 8, 12, 17, 24, 33, 44, 59]
    assert metric.version == len(used)


def test_what_is_taken_out_teaches_nothing():
    plain = Metric(1, 4, normalise=False, within=False)
    for raw in noise(11, 100, 1.0, 4):
        plain.learn_camera(0, raw)
        plain.learn_match(raw, raw + 1, 1.0, 1.0)
    put_to_use(plain)
    assert not plain.means.any()
    rows = noise(12, 5, 1.0, 4)
    np.testing.assert_allclose(plain.look(rows), rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)


def test_unit_leaves_zero_alone():
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]], atol=1e-6)


def test_the_spread_of_all_tracklets_is_their_mean_however_many_there_were():
    """A sum over all that ever came, divided by a number that fades, would outgrow what matches have taught."""
    transforms = []
    for rounds in (1, 20):
        metric, rows = Metric(1, 4), np.eye(4, dtype=np.float32)[:2]
        for step in range(rounds * 2 * FOLD):
            metric.learn_camera(0, rows[step % 2] * (-1) ** (step // 2))
        learn_residuals(metric, np.array([0.1, 0.1, 1.0, 1.0]), times=FOLD)
        put_to_use(metric)
        transforms.append(np.diag(metric._transform))
    np.testing.assert_allclose(transforms[0], transforms[1], rtol=1e-3)
