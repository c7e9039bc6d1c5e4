"""Joint decisions: everybody who is due, and those whose identity they claim, are settled in one assignment.

The answer is the most probable one. Whether it may be called confirmed is another question: a match must also pass a
test at the asked FPIR. A stranger would look this much alike with a probability of at most FPIR times the share of the
prior that this identity has; the shares of all identities add up to one at the most, so by the union bound a person
never seen before is confirmed as anybody known with a probability of at most FPIR (a weighted Bonferroni test), as far
as the model of "different people" holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.assignment import assign
from savant_reid.identity.candidates import CandidateFinder, Candidates
from savant_reid.identity.policy import Policy, Tuning
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.tracklets import LiveTracklets

FORBIDDEN = -1e9


@dataclass(frozen=True)
class Verdict:
    """One tracklet's answer. global_id: 0 says "nobody known" (a founder keeps its own identity by that).

    odds: log-odds of the answer against "nobody known"; arrival: its log prior. proven: a match that passes the test
    at the asked FPIR, or a novelty.
    """

    tracklet: Tracklet
    global_id: int
    probability: float
    runner_up: tuple[int, float] | None
    odds: float = 0.0
    arrival: float = 0.0
    proven: bool = True


class Decider:
    """Answers for tracklets that are due; changes nothing itself."""

    def __init__(
        self, finder: CandidateFinder, live: LiveTracklets, topology: Topology, policy: Policy, tuning: Tuning
    ) -> None:
        self._finder = finder
        self._live = live
        self._topology = topology
        self._tuning = tuning
        self._needed = float(-np.log(policy.target_fpir))

    def decide(self, due: Sequence[Tracklet]) -> list[Verdict]:
        """One verdict per tracklet in `due` and per holder drawn in."""
        found = self._with_contested_holders(due)
        chosen = self._assign(found)
        self._share(found, chosen)
        return [self._verdict(tracklet, found, chosen) for tracklet in found]

    def _assign(self, found: dict[Tracklet, Candidates]) -> dict[Tracklet, int]:
        """Everybody gets one identity of their own, or 0, so that the total value is greatest."""
        identities = sorted({int(g) for candidates in found.values() for g in candidates.global_ids})
        column = {global_id: i for i, global_id in enumerate(identities)}
        values = np.full((len(found), len(identities) + len(found)), FORBIDDEN)
        for row, (tracklet, candidates) in enumerate(found.items()):
            for at, global_id in enumerate(candidates.global_ids.tolist()):
                values[row, column[global_id]] = self._value(tracklet, candidates, at)
            values[row, len(identities) + row] = self._value_of_novelty(tracklet)
        columns = assign(values).tolist()
        return {t: identities[c] if c < len(identities) else 0 for t, c in zip(found, columns, strict=True)}

    def _share(self, found: dict[Tracklet, Candidates], chosen: dict[Tracklet, int]) -> None:
        """Before cameras that overlap, one person is two tracklets: who lost an identity to such a one may join."""
        for tracklet, candidates in found.items():
            floor = self._value_of_novelty(tracklet)
            for at, global_id in enumerate(candidates.global_ids.tolist()):
                if global_id == chosen[tracklet]:
                    break
                winners = [t for t, won in chosen.items() if won == global_id]
                if winners and self._value(tracklet, candidates, at) > floor and self._may_share(tracklet, winners):
                    chosen[tracklet] = global_id
                    break

    def _may_share(self, tracklet: Tracklet, others: Sequence[Tracklet]) -> bool:
        return all(self._topology.can_share(tracklet.camera, other.camera) for other in others)

    def _value(self, tracklet: Tracklet, candidates: Candidates, at: int) -> float:
        """What this answer is worth against "nobody known", which is worth 0."""
        odds = float(candidates.odds[at])
        if candidates.global_ids[at] == tracklet.global_id:
            return odds + self._tuning.stickiness
        return odds if odds > 0.0 else FORBIDDEN

    def _value_of_novelty(self, tracklet: Tracklet) -> float:
        """Being somebody new: a founder gives up what it founded only for a clearly better answer."""
        return self._tuning.stickiness if tracklet.founder else 0.0

    def _with_contested_holders(self, due: Sequence[Tracklet]) -> dict[Tracklet, Candidates]:
        """Candidates of the due tracklets, and of all on screen who hold an identity that one of these might take."""
        holders = [t for t in self._live.visible() if t.global_id and not t.founder]
        waiting = list(due)
        found: dict[Tracklet, Candidates] = {}
        while waiting:
            tracklet = waiting.pop()
            found[tracklet] = candidates = self._finder.find(tracklet)
            claimed = set(candidates.global_ids[candidates.odds > 0.0].tolist())
            drawn = [h for h in holders if h.global_id in claimed and not self._may_share(tracklet, [h])]
            waiting += [holder for holder in drawn if holder not in found and holder not in waiting]
        return dict(sorted(found.items(), key=lambda item: item[0].serial))

    def _verdict(self, tracklet: Tracklet, found: dict[Tracklet, Candidates], chosen: dict[Tracklet, int]) -> Verdict:
        # What others are now counts against it here, as far as they are sure.
        taken = {
            global_id: found[other].probability_of(global_id)
            for other, global_id in chosen.items()
            if global_id and other is not tracklet and not self._may_share(tracklet, [other])
        }
        return self._answer(tracklet, found[tracklet].without_taken(taken), chosen[tracklet])

    def _answer(self, tracklet: Tracklet, candidates: Candidates, chosen: int) -> Verdict:
        stays = chosen or (tracklet.global_id if tracklet.founder else 0)
        rivals = [(i, g) for i, g in enumerate(candidates.global_ids.tolist()) if g != stays]
        runner_up = (rivals[0][1], candidates.probability(rivals[0][0])) if rivals else None
        if not chosen:
            # A founder's own identity is no rival of it, whoever else has fed that identity since.
            probability = candidates.novelty + (candidates.probability_of(stays) if stays else 0.0)
            return Verdict(tracklet, 0, probability, runner_up)
        at = candidates.global_ids.tolist().index(chosen)
        odds, arrival = float(candidates.odds[at]), float(candidates.arrivals[at])
        proven = bool(candidates.surprises[at] >= self._needed)
        return Verdict(tracklet, chosen, candidates.probability(at), runner_up, odds, arrival, proven)
