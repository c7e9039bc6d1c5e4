"""Identify: the whole batch of all cameras at once, sightings in, decisions out."""

from __future__ import annotations

from collections.abc import Sequence

from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.types import IdentityEvent
from savant_reid.pyfuncs.shared import resolver_for


class Identify(Plugin):
    """site: path of site.yml. embedding_model: name of the element whose embeddings it reads."""

    def __init__(self, site: str, embedding_model: str) -> None:
        self.site = site
        self.embedding_model = embedding_model

    def on_start(self) -> None:
        resolver_for(self.site)

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        sightings = [frame.sightings() for frame in frames]
        decisions = resolver_for(self.site).resolve(sightings)
        start = 0
        for frame, seen in zip(frames, sightings, strict=True):
            frame.write_decisions(decisions[start : start + len(seen)])
            start += len(seen)

    def take_events(self) -> list[IdentityEvent]:
        return resolver_for(self.site).take_events()
