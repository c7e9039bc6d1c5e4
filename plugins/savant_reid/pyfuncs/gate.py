"""Gate: decides which tracked people are worth an embedding in this frame."""

from __future__ import annotations

from collections.abc import Sequence

from savant_reid.errors import ConfigError
from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.gate import EmbeddingGate, GateSettings


class Gate(Plugin):
    """kwargs: those of identity.gate.GateSettings, all optional."""

    def __init__(self, **settings: float) -> None:
        try:
            self._gate = EmbeddingGate(GateSettings(**settings))  # type: ignore[arg-type]
        except TypeError:
            known = ", ".join(GateSettings.__dataclass_fields__)
            raise ConfigError(f"gate: kwargs: expected some of {known}, found {', '.join(settings)}") from None

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        for frame in frames:
            frame.request_embeddings(self._gate.due(frame.sightings()))
