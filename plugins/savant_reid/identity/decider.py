"""Joint decisions: everybody who is due, and those whose identity they claim, are settled in one assignment.

One person is in one place: two people of one camera and moment, or of two cameras that share no view, never get one
identity. Who competes for no identity with anybody is settled alone; the others in components of at most MOST_JOINT
tracklets by exact assignment, larger ones greedily by their odds, so that a crowd costs a bounded time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from savant_reid.identity.acceptance import Acceptance
from savant_reid.identity.assignment import assign
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.candidates import Candidate, Candidates
from savant_reid.identity.finder import CandidateFinder
from savant_reid.identity.holders import Holders
from savant_reid.identity.policy import Tuning
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet

FORBIDDEN = -1e9
MOST_JOINT = 48
# An identity that somebody on screen carries is claimed only with so much behind it, in nats.
CLAIM_ODDS = 1.0
CLAIM_NATS = 2.0

Found = dict[Tracklet, Candidates]


@dataclass(frozen=True)
class Verdict:
    """One tracklet's answer. answer: None says "nobody known". considered: all that were thought of."""

    tracklet: Tracklet
    answer: Candidate | None
    probability: float
    runner_up: tuple[int, float] | None
    newcomer_log: float
    considered: Candidates


class Decider:
    """Answers for tracklets that are due; changes nothing itself."""

    def __init__(
        self,
        finder: CandidateFinder,
        holders: Holders,
        topology: Topology,
        tuning: Tuning,
        hands: Hands,
        acceptance: Acceptance,
    ) -> None:
        self._finder, self._holders, self._topology, self._tuning = finder, holders, topology, tuning
        self._hands = hands
        self._acceptance = acceptance

    def decide(self, due: Sequence[Tracklet], areas: Mapping[int, float]) -> list[Verdict]:
        """One verdict per tracklet in `due` and per holder drawn in. areas: pixels of a frame, by camera."""
        found = self._find(due, areas)
        claimed = {
            rival: None
            for tracklet, candidates in found.items()
            for candidate in self._claims(tracklet, candidates)
            for rival in self._holders.rivals(tracklet, candidate.global_id)
            if rival not in found and not rival.by_hand
        }
        found.update(self._find(list(claimed), areas))
        found = {tracklet: self._possible(tracklet, candidates, found) for tracklet, candidates in found.items()}
        chosen: dict[Tracklet, Candidate | None] = {}
        for component in self._components(found):
            chosen.update(self._settle(component, found))
        self._share(found, chosen)
        winners: dict[int, list[Tracklet]] = {}
        for tracklet, answer in chosen.items():
            if answer is not None:
                winners.setdefault(answer.global_id, []).append(tracklet)
        return [self._verdict(t, candidates, chosen[t], winners) for t, candidates in found.items()]

    def _find(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> Found:
        found = dict(zip(tracklets, self._finder.find(tracklets, areas), strict=True)) if tracklets else {}
        found = {t: _not_as_before(t, candidates) for t, candidates in found.items()}
        if self._hands.active:
            found = {t: candidates.without(self._hands.forbidden(t)) for t, candidates in found.items()}
        return found

    def _claims(self, tracklet: Tracklet, candidates: Candidates) -> Iterator[Candidate]:
        """Identities of others for which there is so much that whoever carries them is asked too."""
        for candidate in candidates.found:
            if not candidates.odds(candidate) > CLAIM_ODDS + self._acceptance.margin:
                return  # those that follow are less probable
            if candidate.nats > CLAIM_NATS and candidate.global_id != tracklet.global_id:
                yield candidate

    def _possible(self, tracklet: Tracklet, candidates: Candidates, found: Found) -> Candidates:
        """Without identities of people on screen who are not asked again now."""
        taken = {
            candidate.global_id
            for candidate in candidates.found
            if candidate.global_id != tracklet.global_id
            and candidate.global_id in self._holders
            and any(rival not in found for rival in self._holders.rivals(tracklet, candidate.global_id))
        }
        return candidates.without(taken) if taken else candidates

    def _components(self, found: Found) -> list[list[Tracklet]]:
        """Tracklets that compete, directly or through others."""
        leader: dict[Tracklet, Tracklet] = {tracklet: tracklet for tracklet in found}

        def lead(tracklet: Tracklet) -> Tracklet:
            while leader[tracklet] is not tracklet:
                leader[tracklet] = leader[leader[tracklet]]
                tracklet = leader[tracklet]
            return tracklet

        first: dict[int, Tracklet] = {}
        for tracklet, candidates in found.items():
            own = [tracklet.global_id] if tracklet.global_id else []
            for global_id in [*own, *(c.global_id for c in candidates.found)]:
                if global_id in first:
                    leader[lead(tracklet)] = lead(first[global_id])
                else:
                    first[global_id] = tracklet
        groups: dict[Tracklet, list[Tracklet]] = {}
        for tracklet in found:
            groups.setdefault(lead(tracklet), []).append(tracklet)
        return list(groups.values())

    def _settle(self, component: Sequence[Tracklet], found: Found) -> dict[Tracklet, Candidate | None]:
        if len(component) == 1:
            tracklet = component[0]
            options = [(self._value(tracklet, c, found[tracklet]), c) for c in found[tracklet].found]
            best = max(options, key=lambda option: option[0], default=None)
            return {tracklet: best[1] if best is not None and best[0] > 0.0 else None}
        return self._assign(component, found) if len(component) <= MOST_JOINT else self._greedy(component, found)

    def _assign(self, component: Sequence[Tracklet], found: Found) -> dict[Tracklet, Candidate | None]:
        """Everybody gets one identity of their own, or none, so that the total value is greatest."""
        identities = sorted({c.global_id for t in component for c in found[t].found})
        column = {global_id: i for i, global_id in enumerate(identities)}
        values = np.full((len(component), len(identities) + len(component)), FORBIDDEN)
        for row, tracklet in enumerate(component):
            for candidate in found[tracklet].found:
                values[row, column[candidate.global_id]] = self._value(tracklet, candidate, found[tracklet])
            values[row, len(identities) + row] = 0.0
        columns = assign(values).tolist()
        return {
            tracklet: found[tracklet].of(identities[at]) if at < len(identities) else None
            for tracklet, at in zip(component, columns, strict=True)
        }

    def _greedy(self, component: Sequence[Tracklet], found: Found) -> dict[Tracklet, Candidate | None]:
        """The best answers first."""
        options = [
            (self._value(tracklet, candidate, found[tracklet]), -tracklet.serial, tracklet, candidate)
            for tracklet in component
            for candidate in found[tracklet].found
        ]
        answers: dict[Tracklet, Candidate | None] = dict.fromkeys(component)
        taken: set[int] = set()
        settled: set[Tracklet] = set()
        for value, _, tracklet, candidate in sorted(options, key=lambda o: (-o[0], -o[1], o[3].global_id)):
            free = candidate.global_id not in taken and tracklet not in settled
            if free and value > 0.0:
                answers[tracklet] = candidate
                taken.add(candidate.global_id)
                settled.add(tracklet)
        return answers

    def _share(self, found: Found, chosen: dict[Tracklet, Candidate | None]) -> None:
        """Before cameras that overlap, one person is two tracklets: who lost an identity to such a one may join."""
        if not self._topology.overlap.any():
            return
        for tracklet, candidates in found.items():
            for candidate in candidates.found:
                if candidate is chosen[tracklet]:
                    break
                winners = [t for t, won in chosen.items() if won is not None and won.global_id == candidate.global_id]
                better = self._value(tracklet, candidate, candidates) > 0.0
                if winners and better and all(self._topology.can_share(tracklet.camera, w.camera) for w in winners):
                    chosen[tracklet] = candidate
                    break

    def _value(self, tracklet: Tracklet, candidate: Candidate, candidates: Candidates) -> float:
        """What this answer is worth against "nobody known", which is worth 0."""
        odds, margin = candidates.odds(candidate), self._acceptance.margin
        if candidate.global_id == candidates.alone:
            return odds + self._tuning.stickiness
        if candidate.global_id == tracklet.global_id:
            return odds - margin + self._tuning.stickiness
        return odds - margin if odds > margin else FORBIDDEN

    def _verdict(
        self,
        tracklet: Tracklet,
        candidates: Candidates,
        answer: Candidate | None,
        winners: Mapping[int, Sequence[Tracklet]],
    ) -> Verdict:
        """winners: who has got which identity."""
        said = answer.global_id if answer else 0
        # What others are now cannot be said of this one.
        others = {
            candidate.global_id
            for candidate in candidates.found
            if candidate.global_id in winners
            and candidate.global_id != said
            and any(
                other is not tracklet and not self._topology.can_share(other.camera, tracklet.camera)
                for other in winners[candidate.global_id]
            )
        }
        left = candidates.without(others) if others else candidates
        rival = next((candidate.global_id for candidate in left.found if candidate.global_id != said), None)
        runner_up = (rival, left.probability(rival)) if rival is not None else None
        return Verdict(tracklet, answer, left.probability(said), runner_up, candidates.newcomer_log, left)


def _not_as_before(tracklet: Tracklet, candidates: Candidates) -> Candidates:
    """Who took a track over is not who had it before, unless the look itself says so: place and time speak for both."""
    before = candidates.of(tracklet.cut_from) if tracklet.cut_from else None
    return candidates.without({before.global_id}) if before is not None and before.nats < CLAIM_NATS else candidates
