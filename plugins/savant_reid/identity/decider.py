"""Joint decisions: everybody who is due, and those whose identity they claim, are settled in one assignment.

Accepting a match takes a likelihood ratio of at least 1 / FPIR against "nobody known". If the ratio is calibrated, a
person never seen before reaches that with a probability of at most FPIR (Markov's inequality on the likelihood ratio,
whose mean under "never seen" is 1), however many identities share the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.assignment import assign
from savant_reid.identity.candidates import CandidateFinder, Candidates
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.tracklets import LiveTracklets

FORBIDDEN = -1e9
# Beyond this many tracklets in one decision the contest is cut; the rest is settled at their next turn.
MOST_TOGETHER = 64


@dataclass(frozen=True)
class Verdict:
    """One tracklet's answer. global_id: 0 says "nobody known" (a founder keeps its own identity by that).

    odds: log-odds of the answer against "nobody known"; arrival: its log prior.
    """

    tracklet: Tracklet
    global_id: int
    probability: float
    runner_up: tuple[int, float] | None
    odds: float = 0.0
    arrival: float = 0.0


class Decider:
    """Answers for tracklets that are due; changes nothing itself."""

    def __init__(self, finder: CandidateFinder, live: LiveTracklets, policy: Policy, tuning: Tuning) -> None:
        self._finder = finder
        self._live = live
        self._tuning = tuning
        self._needed = float(np.log(1.0 / policy.target_fpir))

    def decide(self, due: Sequence[Tracklet], now_ns: int) -> list[Verdict]:
        """One verdict per tracklet in `due` and per holder drawn in."""
        found = self._with_contested_holders(due, now_ns)
        tracklets = list(found)
        identities = sorted({int(g) for candidates in found.values() for g in candidates.global_ids})
        column = {global_id: i for i, global_id in enumerate(identities)}
        values = np.full((len(tracklets), len(identities) + len(tracklets)), FORBIDDEN)
        for row, tracklet in enumerate(tracklets):
            candidates = found[tracklet]
            for at, global_id in enumerate(candidates.global_ids.tolist()):
                values[row, column[global_id]] = self._value(tracklet, candidates, at)
            values[row, len(identities) + row] = self._value_of_novelty(tracklet)
        chosen = [identities[c] if c < len(identities) else 0 for c in assign(values).tolist()]
        taken = {
            global_id: (tracklet, candidates.probability(candidates.global_ids.tolist().index(global_id)))
            for (tracklet, candidates), global_id in zip(found.items(), chosen, strict=True)
            if global_id
        }
        return [
            _verdict(tracklet, candidates.without_taken(_by_others(taken, tracklet)), global_id)
            for (tracklet, candidates), global_id in zip(found.items(), chosen, strict=True)
        ]

    def _value(self, tracklet: Tracklet, candidates: Candidates, at: int) -> float:
        bonus = self._tuning.stickiness if candidates.global_ids[at] == tracklet.global_id else 0.0
        return float(candidates.odds[at]) - self._needed + bonus

    def _value_of_novelty(self, tracklet: Tracklet) -> float:
        """Being somebody new: a founder gives up what it founded only for a clearly better answer."""
        return self._tuning.stickiness if tracklet.founder else 0.0

    def _with_contested_holders(self, due: Sequence[Tracklet], now_ns: int) -> dict[Tracklet, Candidates]:
        """Candidates of the due tracklets, and of all on screen who hold an identity that one of these might take."""
        on_screen = [t for t in self._live.visible(now_ns) if t.global_id and not t.founder]
        waiting = list(due)
        found: dict[Tracklet, Candidates] = {}
        while waiting and len(found) < MOST_TOGETHER:
            tracklet = waiting.pop(0)
            if tracklet in found:
                continue
            found[tracklet] = candidates = self._finder.find(tracklet)
            claimed = set(candidates.global_ids[candidates.odds > self._needed].tolist())
            waiting += [holder for holder in on_screen if holder.global_id in claimed and holder not in found]
        return found


def _by_others(taken: dict[int, tuple[Tracklet, float]], tracklet: Tracklet) -> dict[int, float]:
    """Identities that others in this decision got, with the probability that they got them rightly."""
    return {global_id: p for global_id, (other, p) in taken.items() if other is not tracklet}


def _verdict(tracklet: Tracklet, candidates: Candidates, chosen: int) -> Verdict:
    ids = candidates.global_ids.tolist()
    rivals = [
        i for i, global_id in enumerate(ids) if global_id not in (chosen, tracklet.global_id if not chosen else 0)
    ]
    runner_up = (ids[rivals[0]], candidates.probability(rivals[0])) if rivals else None
    if not chosen:
        return Verdict(tracklet, 0, candidates.novelty, runner_up)
    at = ids.index(chosen)
    return Verdict(
        tracklet,
        chosen,
        candidates.probability(at),
        runner_up,
        float(candidates.odds[at]),
        float(candidates.arrivals[at]),
    )
