"""Who is asked in this moment: not everybody in every frame, since a decision per frame would tell nothing new."""

from __future__ import annotations

from savant_reid.identity.holders import Holders
from savant_reid.identity.live import LiveTracks, Seen
from savant_reid.identity.policy import Tuning
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import Reason

# People decided in one batch at most; the others wait for the next one, longest asked first.
MOST_DUE = 256


class Due:
    """Picks the tracklets that the decider is asked about."""

    def __init__(self, live: LiveTracks, holders: Holders, tuning: Tuning) -> None:
        self._live, self._holders, self._tuning = live, holders, tuning

    def of(self, seen: Seen) -> list[Tracklet]:
        """Who has something new to say, and everybody who shares an identity with somebody else on screen."""
        live = self._live
        slots = seen.slots[seen.slots >= 0]
        due: dict[Tracklet, None] = {}
        for slot in slots[live.unasked[slots]].tolist():
            tracklet = live.tracklets[slot]
            if tracklet is None:
                continue
            if self._is_quiet(tracklet):
                live.unasked[slot] = False
            elif self._is_due(tracklet):
                due[tracklet] = None
        # Nobody is in two places: whoever shares is asked now, whatever the crowd.
        sharing = {t for holders in self._holders.crowded() for t in holders if not t.by_hand}
        others = sorted((t for t in due if t not in sharing), key=lambda t: (t.asked_ns, t.serial))
        return sorted([*sharing, *others[: max(0, MOST_DUE - len(sharing))]], key=lambda t: t.serial)

    @staticmethod
    def _is_quiet(tracklet: Tracklet) -> bool:
        """It has an identity and no new crop, or no doubt and few new ones: nothing to say until something changes."""
        crops, asked = tracklet.crops, tracklet.asked_crops
        few = crops == asked or (1 < crops < 2 * asked and not tracklet.ambiguous)
        return few and tracklet.global_id != 0

    def _is_due(self, tracklet: Tracklet) -> bool:
        if tracklet.by_hand:
            return False
        now_ns = self._live.clock.now_ns
        crops, asked = tracklet.crops, tracklet.asked_crops
        if not tracklet.global_id and crops > 0:
            # Time is up: it is decided with what there is; where there was no room for it, it asks again now and then.
            up_ns = tracklet.first_ns + int(self._tuning.decide_after_s * 1e9)
            if tracklet.asked_ns < up_ns <= now_ns:
                return True
        waited = now_ns - tracklet.asked_ns >= self._tuning.redecide_s * 1e9
        if crops == asked:
            return waited and tracklet.unmatched is Reason.GALLERY_FULL
        if asked < 0 or crops >= max(2, 2 * asked):
            return True
        unclear = tracklet.ambiguous or not tracklet.global_id
        return unclear and (crops <= 3 or waited)
