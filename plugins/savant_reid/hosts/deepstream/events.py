"""Identity events on their way out of Savant: they leave with the first frame that does after they happened."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from savant_reid.hosts.deepstream.epochs import unfold
from savant_reid.hosts.deepstream.frames import Head
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.identity.types import IdentityEvent
from savant_reid.sinks.identities import event_message

# The frame's attribute of element `reid` that carries them: a list of JSON texts.
ATTRIBUTE = "events"
# So many wait for a frame that takes them; more are dropped and counted, oldest first.
MOST_WAITING = 10_000

# Their number in the site; here, and not in a pyfunc, for the same reason as the resolvers (pyfuncs/shared.py).
_sequences: Counter[str] = Counter()


def event_text(event: IdentityEvent, site: str) -> str:
    """A message of schema savant-reid/identity/1 as JSON; its track id is the tracker's own."""
    if event.track_id is not None:
        event = dataclasses.replace(event, track_id=unfold(event.track_id))
    text = json.dumps(event_message(event, site, _sequences[site]), allow_nan=False)
    _sequences[site] += 1
    return text


class Outbox:
    """Events that wait for a frame to leave with."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._waiting: list[str] = []

    def put(self, events: Sequence[IdentityEvent], site: str) -> None:
        self._waiting += [event_text(event, site) for event in events]
        for _ in self._waiting[:-MOST_WAITING]:
            self._troubles.note("event dropped", "-", "-", "no frame has taken the events that waited")
        del self._waiting[:-MOST_WAITING]

    def send(self, head: Head, attach: Callable[[Any, str, list[str]], None]) -> None:
        """With this frame; if it does not take them, with the next."""
        if not self._waiting:
            return
        try:
            attach(head.video_frame, ATTRIBUTE, self._waiting)
        except Exception as error:  # this frame's trouble
            self._troubles.note("events", head.camera, head.frame_num, error)
        else:
            self._waiting = []
