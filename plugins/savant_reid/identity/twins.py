"""Newcomers that may be somebody on screen seen twice: nobody is founded on them while they cannot be told apart.

Detectors now and then put two boxes on one person, and trackers give the second one a track of its own; where two
people cross, a track that began or went over to somebody else a moment ago looks like the person that another track
still carries. Such a tracklet looks just like the one it lies over. To name it then would make a second identity of
somebody on screen, and the two would look like different people for ever, since they were seen at once.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from savant_reid.identity.crossings import Together
from savant_reid.identity.live import LiveTracks
from savant_reid.identity.metric import Metric
from savant_reid.identity.score_model import ScoreModel
from savant_reid.identity.tracklet import Tracklet

# That two lay over one another still counts for so long afterwards.
AFTERWARDS_NS = 1_000_000_000
# As alike as a track is to itself, in nats.
TWIN_NATS = 2.0


class Twins:
    """Remembers who without an identity lay over whom a moment ago: a few pairs, dropped when they are outdated."""

    def __init__(self, live: LiveTracks) -> None:
        self._live = live
        self._beside: dict[Tracklet, dict[Tracklet, int]] = {}

    def observe(self, together: Iterable[Together]) -> None:
        """Take in who lies over whom in a batch's frames."""
        for a, b, now_ns in together:
            if not a.global_id:
                self._beside.setdefault(a, {})[b] = now_ns
            if not b.global_id:
                self._beside.setdefault(b, {})[a] = now_ns

    def hidden(self, tracklets: Iterable[Tracklet], metric: Metric, scores: ScoreModel) -> set[Tracklet]:
        """Those without an identity that may be another one on screen."""
        pairs = [(tracklet, other) for tracklet in tracklets for other in self._beside_now(tracklet)]
        if not pairs:
            return set()
        cameras = np.repeat([tracklet.camera for tracklet, _ in pairs], 2)
        means = np.stack([mean for pair in pairs for tracklet in pair if (mean := tracklet.mean) is not None])
        looks = metric.look(metric.centred(cameras, means))
        twins = scores.nats(np.einsum("nd,nd->n", looks[::2], looks[1::2]), scores.TRACK) > TWIN_NATS
        return {tracklet for (tracklet, _), twin in zip(pairs, twins.tolist(), strict=True) if twin}

    def _beside_now(self, tracklet: Tracklet) -> list[Tracklet]:
        """Whom it may be, if it has no identity: whoever has a look, and an identity or was here before."""
        beside = self._beside.get(tracklet)
        if tracklet.global_id or tracklet.mean is None or not beside:
            return []
        since_ns = self._live.clock.now_ns - AFTERWARDS_NS
        return [
            other
            for other, at_ns in beside.items()
            if at_ns >= since_ns
            and other.mean is not None
            and not other.lost
            and (other.global_id or other.serial < tracklet.serial)
        ]

    def sweep(self) -> None:
        """Forget who has a name by now, or is gone, or has been alone for a moment."""
        since_ns = self._live.clock.now_ns - AFTERWARDS_NS
        self._beside = {
            t: others
            for t, others in self._beside.items()
            if not t.global_id and t.slot >= 0 and max(others.values()) >= since_ns
        }
