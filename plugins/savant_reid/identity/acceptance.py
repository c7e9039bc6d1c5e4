"""How sure one must be to take somebody for a known person, so that newcomers are mistaken no oftener than asked.

The posterior probabilities of past decisions say how many newcomers there were, and how many of them a given margin
would have taken for somebody known: of everybody whose best odds are above the margin, the sum of the probabilities of
having been a newcomer, over the same sum for all. The margin is the least one that keeps this share, the false positive
identification rate, at the asked one. Nobody needs to know the truth for that, only the probabilities to be honest.
"""

from __future__ import annotations

import math

import numpy as np

# Past decisions looked at; the oldest go first.
DECISIONS = 2048
# Margins tried, in nats of log-odds.
MARGINS = np.arange(0.0, 6.01, 0.25)
# The margin before that many newcomers have come (by expectation).
FIRST_MARGIN = 0.5
LEAST_NEWCOMERS = 20.0
# The probabilities only know of mistakes in who is like whom. Swapped tracks and look-alikes who walk together cost
# about as much again, so less than the asked rate is spent here (docs/accuracy.md).
SHARE = 0.4
# The margin is worked out anew after so many decisions.
EVERY = 64


class Acceptance:
    """margin: log-odds that a known identity needs against "a newcomer". target_fpir: the asked rate."""

    def __init__(self, target_fpir: float) -> None:
        self.margin = FIRST_MARGIN
        self._target = SHARE * target_fpir
        self._odds = np.full(DECISIONS, -np.inf)
        self._newcomer = np.zeros(DECISIONS)
        self._learned = 0

    @classmethod
    def of_all(cls) -> Acceptance:
        """Asks for no margin: a closed set has a test of its own (see enrolment)."""
        acceptance = cls(1.0 / SHARE)
        acceptance.margin = 0.0
        return acceptance

    def learn(self, known: float, newcomer: float) -> None:
        """One decision: probabilities of the best known answer and of a newcomer."""
        at = self._learned % DECISIONS
        self._odds[at] = math.log(max(known, 1e-300)) - math.log(max(newcomer, 1e-300))
        self._newcomer[at] = newcomer
        self._learned += 1
        if self._learned % EVERY == 0:
            self._set_margin()

    def expected_fpir(self, margin: float) -> float:
        """The share of past newcomers that this margin would have taken for somebody known; 0 if there were none."""
        total = float(self._newcomer.sum())
        return float(self._newcomer[self._odds > margin].sum()) / total if total else 0.0

    @property
    def estimated_fpir(self) -> float:
        """The rate to expect with the margin in use, what probabilities do not know of included: as `target_fpir`."""
        return self.expected_fpir(self.margin) / SHARE

    def _set_margin(self) -> None:
        if self._newcomer.sum() < LEAST_NEWCOMERS:
            return
        fitting = (margin for margin in MARGINS.tolist() if self.expected_fpir(margin) <= self._target)
        self.margin = next(fitting, float(MARGINS[-1]))
