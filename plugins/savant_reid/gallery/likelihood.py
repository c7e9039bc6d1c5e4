"""From a score to a likelihood ratio, learned from the run itself: nobody has to guess a threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64s = NDArray[np.float64]
# No single comparison may be worth more than this many nats: pictures of one moment are never that independent.
MOST_NATS = 10.0
# Fewer pairs than this, on either side, tell nothing.
LEAST_PAIRS = 5
# Similarities of same and different people without the camera's mean, each worth LEAST_PAIRS pairs: what is believed
# of a run in which hardly anybody was seen twice. Middling values of usual embedders; the run's own pairs outvote them.
PRIOR_SAME, PRIOR_DIFFERENT = (0.45, 0.65, 0.8), (-0.15, 0.05, 0.3)
_STEPS = 50
# A pull to zero that is felt only where scores do not vary at all.
_PULL = 1e-6


@dataclass(frozen=True)
class Likelihood:
    """log P(score | same person) / P(score | another one) = slope * score + offset, within MOST_NATS; slope >= 0.

    same, different: how many pairs of the run it was learned from.
    """

    slope: float
    offset: float
    same: int
    different: int

    @property
    def is_rough(self) -> bool:
        """Learned from next to nothing."""
        return min(self.same, self.different) < LEAST_PAIRS

    def log_ratio(self, scores: Float64s) -> Float64s:
        return np.clip(self.slope * scores + self.offset, -MOST_NATS, MOST_NATS)


def fit(same: Float64s, different: Float64s, prior: bool = True) -> Likelihood:
    """A logistic regression in which both sides weigh the same, so that its log-odds are a log likelihood ratio.

    same, different: scores of pairs. prior: add PRIOR_SAME and PRIOR_DIFFERENT, for scores that are similarities.
    """
    sides = [
        (same, PRIOR_SAME if prior else (), 1.0),
        (different, PRIOR_DIFFERENT if prior else (), 0.0),
    ]
    scores, targets, weights = [], [], []
    for own, guess, target in sides:
        values = np.concatenate([own, guess])
        each = np.concatenate([np.ones(len(own)), np.full(len(guess), LEAST_PAIRS / max(1, len(guess)))])
        total = max(float(each.sum()), 1.0)
        scores.append(values)
        weights.append(each / total)
        # Platt (1999): targets within (0, 1), by how much was seen; two heaps apart must not give certainty.
        targets.append(np.full(len(values), (total * target + 1.0) / (total + 2.0)))
    slope, offset = _logistic(np.concatenate(scores), np.concatenate(targets), np.concatenate(weights))
    return Likelihood(max(slope, 0.0), offset if slope > 0 else 0.0, len(same), len(different))


def _logistic(scores: Float64s, targets: Float64s, weights: Float64s) -> tuple[float, float]:
    """Newton's method on (slope, offset); steps are bounded, as the first ones may overshoot."""
    if not len(scores):
        return 0.0, 0.0
    design = np.stack([scores, np.ones(len(scores))], axis=1)
    answer = np.zeros(2)
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ answer, -30, 30)))
        gradient = design.T @ (weights * (chance - targets)) + _PULL * answer
        curve = (design.T * (weights * chance * (1.0 - chance))) @ design + _PULL * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        answer -= step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if math.isclose(float(np.abs(step).max()), 0.0, abs_tol=1e-9):
            break
    return float(answer[0]), float(answer[1])
