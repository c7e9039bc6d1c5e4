"""What is said of everybody in a batch: the decision of each tracklet, made once and repeated until it changes."""

from __future__ import annotations

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.ledger import Ledger
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Decision, Reason, RunnerUp, State, Unmatched


class Voice:
    """Puts what tracklets know of themselves into decisions, and counts these in the ledger by state."""

    def __init__(self, live: LiveTracks, ledger: Ledger, topology: Topology) -> None:
        self._live, self._ledger, self._topology = live, ledger, topology

    def of(self, seen: Seen, gallery: Gallery | None) -> list[Decision]:
        """One decision per row of the batch. gallery: None before the first embedding."""
        tracklets = self._live.tracklets
        decisions = []
        for slot, camera in zip(seen.slots.tolist(), seen.cameras.tolist(), strict=True):
            tracklet = tracklets[slot] if slot >= 0 else None
            decision = tracklet.decision if tracklet is not None else None
            decisions.append(decision or self._say(tracklet, camera, gallery))
        states = [decision.state for decision in decisions]
        for state in State:
            self._ledger.counts[state.value] += states.count(state)
        return decisions

    def _say(self, tracklet: Tracklet | None, camera: int, gallery: Gallery | None) -> Decision:
        name = self._topology.cameras[camera]
        if tracklet is None:
            return Decision(name, -1, Unmatched(Reason.TOO_LITTLE_EVIDENCE), State.PROVISIONAL, 0.0)
        row = gallery.row_of(tracklet.global_id) if gallery and tracklet.global_id else None
        if row is None or gallery is None:
            said = Decision(name, tracklet.track_id, Unmatched(tracklet.unmatched), State.PROVISIONAL, 0.0)
        else:
            state = State.CONFIRMED if gallery.confirmed[row] else State.PROVISIONAL
            state = State.AMBIGUOUS if tracklet.ambiguous else state
            runner_up = RunnerUp(*tracklet.runner_up) if tracklet.runner_up else None
            said = Decision(name, tracklet.track_id, tracklet.global_id, state, tracklet.probability, runner_up)
        tracklet.decision = said
        return said
