"""Gate: decides which tracked people are worth an embedding in this frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, fields

from savant_reid.errors import ConfigError
from savant_reid.hosts.batch import FrameView
from savant_reid.hosts.choice import for_host
from savant_reid.hosts.plugin import PEOPLE, Plugin
from savant_reid.identity.gate import EmbeddingGate, GateSettings

MOST_SECONDS = 86_400.0
MOST_EMBEDDINGS = 1_000.0


@for_host
class Gate(Plugin):
    """kwargs: people, and those of identity.gate.GateSettings, all optional. Raises ConfigError for the wrong one."""

    joint = True  # small frames cost the least together

    def __init__(self, people: str = PEOPLE, **settings: float) -> None:
        self.people = people
        known = {field.name: field for field in fields(GateSettings)}
        for name, value in settings.items():
            if name not in known:
                raise ConfigError(f"gate: kwargs: expected some of {', '.join(known)}, found {name}")
            _check(known[name], value)
        self._gate = EmbeddingGate(GateSettings(**settings))  # type: ignore[arg-type]

    def process_batch(self, frames: Sequence[FrameView]) -> None:
        answers = self._gate.due([frame.sightings() for frame in frames])
        for frame, due in zip(frames, answers, strict=True):
            frame.request_embeddings(due)


def _check(field: Field[float], value: object) -> None:
    """A setting's name tells its unit: what ends in _s are seconds, in _quality a quality; whole numbers count."""
    whole = field.type in (int, "int")
    if whole:
        most, expected = MOST_EMBEDDINGS, f"a whole number from 0 to {MOST_EMBEDDINGS:g}"
    elif field.name.endswith("_s"):
        most, expected = MOST_SECONDS, f"seconds from 0 to {MOST_SECONDS:g}"
    else:
        most, expected = 1.0, "a number from 0 to 1"
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= most:  # type: ignore[arg-type, operator]
        raise ConfigError(f"gate: kwargs: {field.name}: expected {expected}, found {value!r}")
