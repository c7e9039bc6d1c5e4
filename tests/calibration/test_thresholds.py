"""From similarities to thresholds, against distributions whose quantiles are known."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from savant_reid.calibration.pairs import CameraPair
from savant_reid.calibration.thresholds import ENOUGH_ABOVE, Site, spread, upper_quantile

NONE = np.zeros(0)


def pair(a, b, strangers, met=NONE, weights=None, halves=NONE):
    weights = np.ones(len(met)) if weights is None else weights
    return CameraPair(a, b, np.sort(strangers), len(strangers), met, weights, halves)


def normal(mean, std, n, seed=0):
    return np.random.default_rng(seed).normal(mean, std, n)


def test_a_pair_with_many_strangers_has_its_own_quantile():
    values = normal(0.1, 0.05, 5000)
    found = Site([pair(0, 0, values)], 0.01).of(pair(0, 0, values))
    assert found.source == "own"
    assert (values >= found.similarity).mean() == pytest.approx(0.01, abs=2e-4)


def test_a_pair_with_few_is_taken_to_have_the_tail_of_the_site():
    """Both are normal; the small one is shifted and wider: its threshold is its own, near the truth."""
    big, small = normal(0.0, 0.1, 20_000), normal(0.2, 0.15, 2000, seed=1)
    site = Site([pair(0, 0, big), pair(0, 1, small)], 0.01)
    found = site.of(pair(0, 1, small))
    assert found.source == "scaled"
    assert found.similarity == pytest.approx(0.2 + 0.15 * NormalDist().inv_cdf(0.99), abs=0.03)


def test_a_handful_of_strangers_hardly_moves_the_threshold_of_the_site():
    big = normal(0.0, 0.1, 20_000)
    few = pair(0, 1, np.array([0.9, 0.95]))
    site = Site([pair(0, 0, big), few], 0.01)
    assert site.of(few).similarity - site.threshold().similarity < 0.2


def test_a_pair_without_strangers_has_the_threshold_of_the_site():
    site = Site([pair(0, 0, normal(0.0, 0.1, 20_000))], 0.01)
    found = site.of(pair(0, 1, NONE))
    assert (found.source, found.similarity) == ("site", site.threshold().similarity)
    assert found.strangers.pairs == 0


def test_a_tail_that_was_not_seen_is_extended():
    """An exponential tail is extended exactly; the normal one is thinner, so that the threshold errs upwards."""
    dice = np.random.default_rng(3)
    values = np.sort(dice.exponential(0.1, 2000))
    assert ENOUGH_ABOVE > 2000 * 1e-4
    assert upper_quantile(values, 1e-4) == pytest.approx(-0.1 * math.log(1e-4), rel=0.15)
    thin = np.sort(dice.normal(0.0, 0.1, 2000))
    assert upper_quantile(thin, 1e-4) > 0.1 * NormalDist().inv_cdf(1 - 1e-4)
    assert Site([pair(0, 0, values)], 1e-4).threshold().tail == "extended"
    assert Site([pair(0, 0, values)], 0.05).threshold().tail == "seen"


def test_thresholds_fall_with_the_asked_rate():
    values = normal(0.0, 0.1, 3000)
    asked = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5)
    found = [Site([pair(0, 0, values)], rate).threshold().similarity for rate in asked]
    assert found == sorted(found, reverse=True)
    assert max(found) <= 1.0


def test_who_is_missed_is_counted_by_how_sure_it_is():
    strangers = normal(0.0, 0.1, 20_000)
    met = np.array([0.05] * 100 + [0.9] * 100)
    weights = np.array([0.1] * 100 + [0.9] * 100)
    found = Site([pair(0, 0, strangers, met, weights)], 0.01).threshold()
    assert found.missed == pytest.approx(0.1)
    assert found.met.pairs == pytest.approx(100)


def test_few_meetings_of_a_pair_stand_beside_those_of_the_site():
    strangers = normal(0.0, 0.1, 20_000)
    whole = pair(0, 0, strangers, np.full(1000, 0.9))
    unlucky = pair(0, 1, NONE, np.array([0.05]))
    assert Site([whole, unlucky], 0.01).of(unlucky).missed < 0.2


def test_spread_is_the_weighted_mean_and_deviation():
    found = spread(np.array([1.0, 3.0]), np.array([3.0, 1.0]))
    assert found == pytest.approx((1.5, math.sqrt(0.75), 4.0))
    assert spread(NONE) == (0.0, 0.0, 0.0)
