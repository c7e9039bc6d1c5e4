"""Likelihood ratios: the formula at points, bounds, order, and what they learn from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from savant_reid.identity.metric import Metric
from savant_reid.identity.pairs import PAIRS, Look, Pairs
from savant_reid.identity.score_model import LOOK_ALIKES, SPOILT, ScoreModel

D = 8
LEAST, MOST = math.log(SPOILT), math.log((1 - SPOILT) / LOOK_ALIKES)


def pair(similarity: float) -> tuple[Look, Look]:
    """Two looks with exactly this inner product, while the metric knows nothing."""
    a, b = np.zeros(D, np.float32), np.zeros(D, np.float32)
    a[0], b[0], b[1] = 1.0, similarity, math.sqrt(1 - similarity**2)
    return Look(a, 0), Look(b, 0)


def density(x: float, mean: float, std: float) -> float:
    return math.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def ratio(x: float, same: tuple[float, float], strangers: tuple[float, float]) -> float:
    """log((0.97 s + 0.03 d) / (d + 2e-5 s)); whoever is more alike than the same person usually is, is no less so."""
    s, d = density(min(x, same[0]), *same), density(x, *strangers)
    return math.log((0.97 * s + 0.03 * d) / (d + 2e-5 * s))


def test_before_anything_is_learned_the_prior_speaks():
    model = ScoreModel(Metric(1, D))
    assert model.stranger_moments == pytest.approx((0.0, 0.18))
    # Any number of crops: the prior's share of the way to 0.75 is less than two spreads of strangers.
    for bucket in range(3):
        assert model.same_moments[bucket] == pytest.approx((0.36, 0.16 * 0.75))
    for similarity in (0.0, 0.2, 0.35, 0.6, 1.0):
        for bucket in range(3):
            expected = ratio(similarity, model.same_moments[bucket], (0.0, 0.18))
            assert model.nats(np.array(similarity), bucket) == pytest.approx(expected, abs=1e-9)


def test_how_many_crops_make_which_bucket():
    assert [ScoreModel.bucket(n) for n in (1, 2, 3, 4, 99)] == [0, 1, 1, 2, 2]


def test_moments_are_weighed_beside_a_prior_of_twelve_pairs():
    """Two values near the prior, so that nothing is clipped; the second round starts from the first one's answer."""
    pairs = Pairs(Metric(1, D))
    for similarity, weight, bucket in ((0.5, 1.0, 0), (0.3, 0.5, 0), (0.9, 1.0, 1)):
        pairs.add(*pair(similarity), weight, bucket)
    mean, std = 0.4, 0.1
    for _ in range(2):
        own = (0.5 + 0.5 * 0.3) / 1.5
        spread = (0.5 - own) ** 2 + 0.5 * (0.3 - own) ** 2
        mean, std = (1.5 * own + 12 * mean) / 13.5, math.sqrt((spread + 12 * std**2) / 13.5)
    assert pairs.moments(0.4, 0.1, 0) == pytest.approx((mean, std), abs=1e-6)
    assert pairs.moments(0.4, 0.1)[0] > mean


def test_a_pair_far_out_counts_as_if_it_were_at_two_and_a_half_deviations():
    far, at = Pairs(Metric(1, D)), Pairs(Metric(1, D))
    far.add(*pair(0.95), 1.0, 0)
    at.add(*pair(0.25), 1.0, 0)
    assert far.moments(0.0, 0.1)[0] == pytest.approx(at.moments(0.0, 0.1)[0], rel=0.02)
    assert far.moments(0.0, 0.1)[0] > at.moments(0.0, 0.1)[0] * 0.99


def test_the_latest_pairs_are_kept():
    pairs = Pairs(Metric(1, 2))
    one = Look(np.array([1, 0], np.float32), 0)
    for step in range(PAIRS + 10):
        pairs.add(one, one, float(step), 0)
    assert pairs.size == PAIRS == len(pairs.weight)
    assert pairs.weight.min() == 10.0


def learned(model: ScoreModel, seed: int) -> None:
    """Pairs of any kind with any spread, single-minded or scattered, however contradictory."""
    rng = np.random.default_rng(seed)
    for learn in (
        model.learn_strangers,
        model.learn_halves,
        lambda a, b: model.learn_same(a, b, float(rng.random()), int(rng.integers(1, 6))),
    ):
        middle, spread = rng.uniform(-0.9, 0.9), rng.choice([0.0, 0.02, 0.2, 0.6])
        for similarity in np.clip(rng.normal(middle, spread, rng.choice([0, 3, 120])), -1, 1):
            learn(*pair(float(similarity)))
    model.refit()


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_more_alike_is_never_less_likely_the_same_and_no_look_is_worth_all(seed):
    model = ScoreModel(Metric(1, D))
    learned(model, seed)
    for bucket in range(3):
        nats = model.nats(np.linspace(-1, 1, 777), bucket)
        assert (np.diff(nats) >= 0).all()
        assert LEAST - 1e-9 <= nats.min() <= nats.max() <= MOST + 1e-9


def test_of_two_normals_the_wider_one_does_not_win_far_below():
    """Regression: strangers that vary little and persons that vary much made the least alike pair look the same.

    The plain ratio of two normals of different width rises again far out on the other side. Everybody unlike
    everybody was then somebody known, and the engine took all people for one.
    """
    model = ScoreModel(Metric(1, D))
    for step in range(400):
        model.learn_strangers(*pair(0.02 if step % 2 else -0.02))
        model.learn_same(*pair(0.2 if step % 2 else 0.7), 1.0, 5)
    model.refit()
    same, strangers = model.same_moments[2], model.stranger_moments
    assert same[1] > 2 * strangers[1]
    assert ratio(-0.8, same, strangers) > ratio(0.0, same, strangers) + 3
    assert model.nats(np.array(-0.8), 2) <= model.nats(np.array(0.0), 2) < 0


def test_looks_alike_beyond_all_bounds_are_worth_what_look_alikes_allow():
    model = ScoreModel(Metric(1, D))
    for _ in range(600):
        model.learn_strangers(*pair(0.0))
        model.learn_same(*pair(0.9), 1.0, 1)
    model.refit()
    assert model.nats(np.array(1.0), 0) == pytest.approx(MOST, abs=1e-3)
    assert model.nats(np.array(-1.0), 0) == pytest.approx(LEAST, abs=1e-3)


def test_a_few_wrong_matches_do_not_teach_that_strangers_are_one_person():
    model = ScoreModel(Metric(1, D))
    for _ in range(300):
        model.learn_strangers(*pair(0.1))
        model.learn_same(*pair(0.1), 1.0, 5)
    model.refit()
    way = max(0.75 - model.stranger_moments[0], 2 * model.stranger_moments[1])
    assert model.same_moments[2][0] >= model.stranger_moments[0] + 0.4 * way - 1e-9
    assert model.nats(np.array(0.1), 2) < 0


def test_beyond_the_ends_of_the_scale_there_is_nothing_more():
    model = ScoreModel(Metric(1, D))
    nats = model.nats(np.array([-np.inf, -9.0, np.inf, 1.0]), 0)
    assert nats[0] == nats[1] == model.nats(np.array(-1.0), 0)
    assert nats[2] == nats[3]


def test_pairs_are_looked_at_again_when_the_metric_changes():
    metric = Metric(2, D)
    model, rng = ScoreModel(metric), np.random.default_rng(3)
    looks = [Look(rng.standard_normal(D).astype(np.float32), int(rng.integers(2))) for _ in range(40)]
    for a, b in zip(looks[::2], looks[1::2], strict=True):
        model.learn_strangers(a, b)
    before = model.strangers.similarity[:20].copy()
    for look in looks:
        metric.learn_camera(look.camera, look.raw)
    assert metric.refresh(10)
    model.follow()
    transform = metric._transform
    for i, (a, b) in enumerate(zip(looks[::2], looks[1::2], strict=True)):
        x, y = ((look.raw - metric.means[look.camera]) @ transform for look in (a, b))
        assert model.strangers.similarity[i] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), abs=1e-5)
    assert np.abs(model.strangers.similarity[:20] - before).max() > 0.05
    assert model.stranger_moments == pytest.approx(model.strangers.moments(0.0, 0.18))


def test_refits_when_an_eighth_is_new():
    model = ScoreModel(Metric(1, D))
    refits = []
    for step in range(1, 100):
        before = model.stranger_moments
        model.learn_strangers(*pair(0.9 - 0.008 * step))
        model.refit_if_due()
        if model.stranger_moments != before:
            refits.append(step)
    # Eight are needed at least; an eighth of the pairs is more than that from 72 on.
    assert refits == [8, 16, 24, 32, 40, 48, 56, 64, 73, 83, 94]


def test_the_summary_tells_of_both_kinds():
    model = ScoreModel(Metric(1, D))
    model.learn_same(*pair(0.5), 0.25, 5)
    model.learn_strangers(*pair(0.0))
    model.refit()
    told = model.summary()
    assert told["same"] == {"mean": model.same_moments[2][0], "std": model.same_moments[2][1], "samples": 0.25}
    assert told["different"]["samples"] == 1.0
