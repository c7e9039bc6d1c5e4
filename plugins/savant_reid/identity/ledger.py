"""What happened to identities, kept until somebody fetches it, and how often."""

from __future__ import annotations

from collections import Counter

from savant_reid.identity.aliases import Aliases
from savant_reid.identity.site_clock import SiteClock
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet
from savant_reid.identity.types import EventKind, IdentityEvent
from savant_reid.identity.visits import Visit


class Ledger:
    """Events in order, and how many of each kind (`counts`); `aliases`: what merged ids have become."""

    def __init__(self, topology: Topology, clock: SiteClock) -> None:
        self.clock = clock
        self._cameras = topology.cameras
        self._events: list[IdentityEvent] = []
        self.counts: Counter[str] = Counter()
        self.aliases = Aliases()

    def note(
        self,
        kind: EventKind,
        global_id: int,
        tracklet: Tracklet | Visit | None = None,
        other_id: int | None = None,
        reason: str = "",
        evidence: dict[str, float] | None = None,
        since_ns: int | None = None,
    ) -> None:
        """An event of now; see IdentityEvent. tracklet: the track that it is about, if any."""
        camera = self._cameras[tracklet.camera] if tracklet else None
        track_id = tracklet.track_id if tracklet else None
        self.counts[kind.value] += 1
        if kind is EventKind.MERGED and other_id is not None:
            self.aliases.merged(global_id, other_id)
        event = IdentityEvent(
            kind, self.clock.now_ns, global_id, camera, track_id, other_id, reason, evidence or {}, since_ns
        )
        self._events.append(event)

    def take(self) -> list[IdentityEvent]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events
