"""What is said of everybody in a batch: the decision of each tracklet, made once and repeated until it changes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from savant_reid.identity.gallery import Gallery
from savant_reid.identity.live import UNSAID, LiveTracks, Seen
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Decision, Reason, RunnerUp, State, Unmatched

STATES = list(State)


class Voice:
    """Puts what tracklets know of themselves into decisions; counts: of these, by state."""

    def __init__(self, live: LiveTracks, topology: Topology) -> None:
        self._live, self._topology = live, topology
        self.counts: Counter[str] = Counter()

    def of(self, seen: Seen, gallery: Gallery | None) -> list[Decision]:
        """One decision per row of the batch. gallery: None before the first embedding."""
        live, slots = self._live, seen.slots
        # A row that repeats a track of its frame, and one whose track is over already: its camera's time went back.
        is_nobody = (slots < 0) | ~live.used[slots]
        nobody = np.flatnonzero(is_nobody)
        real = slots[~is_nobody] if len(nobody) else slots
        for slot in real[live.state[real] == UNSAID].tolist():
            tracklet = live.tracklets[slot]
            if tracklet is not None:
                said = self._say(tracklet, gallery)
                live.said[slot], live.state[slot] = said, STATES.index(said.state)
        decisions: list[Decision] = live.said[slots].tolist()
        for row in nobody.tolist():
            name = self._topology.cameras[seen.cameras[row]]
            decisions[row] = Decision(name, -1, Unmatched(Reason.TOO_LITTLE_EVIDENCE), State.PROVISIONAL, 0.0)
        counts = np.bincount(live.state[real], minlength=len(STATES))
        counts[STATES.index(State.PROVISIONAL)] += len(nobody)
        for state, count in zip(STATES, counts.tolist(), strict=True):
            self.counts[state.value] += count
        return decisions

    def _say(self, tracklet: Tracklet, gallery: Gallery | None) -> Decision:
        name = self._topology.cameras[tracklet.camera]
        row = gallery.row_of(tracklet.global_id) if gallery and tracklet.global_id else None
        if row is None or gallery is None:
            return Decision(name, tracklet.track_id, Unmatched(tracklet.unmatched), State.PROVISIONAL, 0.0)
        state = State.CONFIRMED if gallery.confirmed[row] else State.PROVISIONAL
        state = State.AMBIGUOUS if tracklet.ambiguous else state
        runner_up = RunnerUp(*tracklet.runner_up) if tracklet.runner_up else None
        return Decision(name, tracklet.track_id, tracklet.global_id, state, tracklet.probability, runner_up)
