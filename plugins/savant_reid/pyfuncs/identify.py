"""Identify: the whole batch of all cameras at once, sightings in, decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from savant_reid.errors import ConfigError
from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.types import Decision, IdentityEvent, Sightings
from savant_reid.pyfuncs.shared import resolver_for
from savant_reid.site import load_site


class Identify(Plugin):
    """site: path of site.yml. embedding_model: name of the element whose embeddings it reads; the host checks that it
    has one of that name."""

    def __init__(self, site: str, embedding_model: str) -> None:
        self.site = site
        self.embedding_model = embedding_model

    def on_start(self) -> None:
        resolver_for(self.site)

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        sightings = [frame.sightings() for frame in frames]
        decisions = self._resolve(sightings)
        start = 0
        for frame, seen in zip(frames, sightings, strict=True):
            frame.write_decisions(decisions[start : start + len(seen)])
            start += len(seen)

    def take_events(self) -> list[IdentityEvent]:
        return resolver_for(self.site).take_events()

    def _resolve(self, sightings: Sequence[Sightings]) -> Sequence[Decision]:
        try:
            return resolver_for(self.site).resolve(sightings)
        except KeyError:
            known = load_site(Path(self.site)).cameras
            unknown = [seen.camera for seen in sightings if seen.camera not in known]
            if not unknown:
                raise
            raise ConfigError(
                f"{self.site}: cameras: expected {', '.join(unknown)} among them, as frames come from there; "
                f"found {', '.join(known)}"
            ) from None
