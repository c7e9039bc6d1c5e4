"""Means of more visits are more alike, as made-up people show."""

from __future__ import annotations

import numpy as np
import pytest

from savant_reid.identity.metric import Metric
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.sharpness import RATIO, SPREADS, STEPS, gain, spread_of, step_of


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 4), (2, 8)])
@pytest.mark.parametrize("spread", [0.5, 1.5])
def test_the_formula_holds_for_people_made_up_by_it(a, b, spread):
    rng = np.random.default_rng(0)
    d, people = 400, 200
    person = rng.standard_normal((people, 1, d))

    def means(visits: int) -> np.ndarray:
        looks = person + np.sqrt(spread) * rng.standard_normal((people, visits, d))
        mean = looks.mean(axis=1)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    alike = float(np.einsum("nd,nd->n", means(a), means(b)).mean())
    assert alike == pytest.approx(float(gain(a, b, spread)) / (1.0 + spread), abs=0.01)


def test_the_spread_is_read_off_single_visits_within_bounds():
    assert spread_of(0.5) == pytest.approx(1.0)
    assert (spread_of(0.99), spread_of(0.01), spread_of(-1.0)) == (SPREADS[0], SPREADS[1], SPREADS[1])


def test_steps_are_tables_that_exist():
    gains = gain(np.array([1, 2, 8, 10_000]), 10_000, SPREADS[1])
    assert step_of(np.array([1.0, RATIO, 1e9])).tolist() == [0, 1, STEPS - 1]
    assert (np.diff(step_of(gains)) >= 0).all()
    assert step_of(gains).max() < STEPS


def test_of_somebody_known_better_more_likeness_is_asked():
    model = ScoreModel(Metric(1, 8))
    once, often = (float(model.nats(np.array(0.3), 2, visits)) for visits in (1, 8))
    assert often < once
    assert model.nats(np.full(2, 0.3), 2, np.array([1, 8])).tolist() == [once, often]
    assert float(model.nats(np.array(0.3), 2, 8, 1)) == float(model.nats(np.array(0.3), 2, 1, 8))
