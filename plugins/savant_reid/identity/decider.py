"""Joint decisions: everybody who is due, and those whose identity they claim, are settled in one assignment.

One person is in one place: two people of one camera and moment, or of two cameras that share no view, never get one
identity (settling.py). All that is weighed is in columns (options.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from savant_reid.identity.acceptance import Acceptance
from savant_reid.identity.by_hand import Hands
from savant_reid.identity.candidates import Candidate, Considered
from savant_reid.identity.finder import CandidateFinder
from savant_reid.identity.holders import Holders
from savant_reid.identity.options import Doubles, Int64s, Options, together
from savant_reid.identity.policy import Tuning
from savant_reid.identity.settling import FORBIDDEN, NOBODY, settle
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet

# An identity that somebody on screen carries is claimed only with so much behind it, in nats.
CLAIM_ODDS = 1.0
CLAIM_NATS = 2.0


class Verdict(NamedTuple):
    """One tracklet's answer. answer: None says "nobody known". considered: all that were thought of."""

    tracklet: Tracklet
    answer: Candidate | None
    probability: float
    runner_up: tuple[int, float] | None
    newcomer_log: float
    considered: Considered


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
        if not due:
            return []
        options = self._find(due, areas)
        rivals = self._rivals(options)
        if rivals:
            options = together(options, self._find(rivals, areas))
        options = options.but(self._on_screen(options))
        values = self._values(options)
        chosen = settle(options, values)
        if self._topology.overlap.any():
            self._share(options, values, chosen)
        return self._verdicts(options, chosen)

    def _find(self, tracklets: Sequence[Tracklet], areas: Mapping[int, float]) -> Options:
        options = self._finder.find(tracklets, areas)
        # Who took a track over is not who had it before, unless the look itself says so: place and time speak for both.
        before = [tracklet.cut_from for tracklet in tracklets]
        if any(before):
            known = options.known
            was = known.global_ids == np.array(before, np.int64)[known.asked]
            options = options.but(was & (known.nats < CLAIM_NATS))
        if self._hands.active:
            forbidden = [self._hands.forbidden(tracklet) for tracklet in tracklets]
            pairs = zip(options.known.asked.tolist(), options.known.global_ids.tolist(), strict=True)
            options = options.but([global_id in forbidden[at] for at, global_id in pairs])
        return options

    def _rivals(self, options: Options) -> list[Tracklet]:
        """Who carries an identity for which there is so much that they are asked too."""
        known = options.known
        claimed = (options.odds > CLAIM_ODDS + self._acceptance.margin) & (known.nats > CLAIM_NATS)
        claimed &= known.global_ids != options.own_ids[known.asked]
        claims = zip(known.asked[claimed].tolist(), known.global_ids[claimed].tolist(), strict=True)
        rivals = chain.from_iterable(self._holders.rivals(options.tracklets[at], i) for at, i in claims)
        asked = set(options.tracklets)
        return list(dict.fromkeys(rival for rival in rivals if rival not in asked and not rival.by_hand))

    def _on_screen(self, options: Options) -> list[bool]:
        """(n,) which are identities of people on screen who are not asked again now."""
        ids, own, can_share = options.known.global_ids.tolist(), options.own_ids.tolist(), self._topology.can_share
        held = self._holders.cameras_of(set(ids), but=set(options.tracklets))
        cameras = [tracklet.camera for tracklet in options.tracklets]
        return [
            i in held and i != own[at] and any(not can_share(camera, cameras[at]) for camera in held[i])
            for at, i in zip(options.known.asked.tolist(), ids, strict=True)
        ]

    def _values(self, options: Options) -> Doubles:
        """(n,) what each answer is worth against "nobody known", which is worth 0."""
        odds, ids, asked = options.odds, options.known.global_ids, options.known.asked
        beyond = odds - self._acceptance.margin
        values = np.where(beyond > 0.0, beyond, FORBIDDEN)
        values = np.where(ids == options.own_ids[asked], beyond + self._tuning.stickiness, values)
        return np.where(ids == options.alone[asked], odds + self._tuning.stickiness, values)

    def _share(self, options: Options, values: Doubles, chosen: Int64s) -> None:
        """Before cameras that overlap, one person is two tracklets: who lost an identity to such a one may join."""
        ids, ends, tracklets = options.known.global_ids, options.ends, options.tracklets
        for at, tracklet in enumerate(tracklets):
            for option in range(ends[at], ends[at + 1]):
                if option == chosen[at]:
                    break
                winners = np.flatnonzero((chosen != NOBODY) & (ids[chosen] == ids[option])).tolist()
                shared = all(self._topology.can_share(tracklet.camera, tracklets[w].camera) for w in winners)
                if winners and shared and values[option] > 0.0:
                    chosen[at] = option
                    break

    def _verdicts(self, options: Options, chosen: Int64s) -> list[Verdict]:
        """chosen: (b,) option of each who is asked about, or NOBODY."""
        is_known = chosen != NOBODY
        named = iter(options.candidates(chosen[is_known]))
        answers = [next(named) if known else None for known in is_known.tolist()]
        said = np.zeros(len(chosen), np.int64)
        said[is_known] = options.known.global_ids[chosen[is_known]]
        left = options.but(self._of_others(options, said))
        known, new = left.probabilities()
        asked, ids = left.known.asked, left.known.global_ids
        is_said = ids == said[asked]
        probability = new.copy()
        probability[asked[is_said]] = known[is_said]
        rivals = [column[~is_said][::-1].tolist() for column in (asked, ids, known)]
        runners_up: list[tuple[int, float] | None] = [None] * len(answers)
        for at, global_id, share in zip(*rivals, strict=True):
            runners_up[at] = global_id, share  # the most probable comes last
        columns = probability.tolist(), runners_up, options.newcomer_logs.tolist(), left.considered(known, new)
        return [Verdict(*verdict) for verdict in zip(options.tracklets, answers, *columns, strict=True)]

    def _of_others(self, options: Options, said: Int64s) -> list[bool]:
        """(n,) which are identities that others are now, so that they cannot be said of this one. said: (b,)."""
        cameras = [tracklet.camera for tracklet in options.tracklets]
        winners: dict[int, list[int]] = {}
        for camera, global_id in zip(cameras, said.tolist(), strict=True):
            winners.setdefault(global_id, []).append(camera)
        mine, can_share = said.tolist(), self._topology.can_share
        return [
            i in winners and i != mine[at] and any(not can_share(camera, cameras[at]) for camera in winners[i])
            for at, i in zip(options.known.asked.tolist(), options.known.global_ids.tolist(), strict=True)
        ]
