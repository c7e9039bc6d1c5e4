"""What a host hands to the sinks for each frame: plain arrays and decisions, nothing of GStreamer or Savant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from savant_reid.identity.types import Decision, IdentityEvent, Sightings


@dataclass(frozen=True)
class FrameRecord:
    """One frame as decided.

    frame: counts from 0 per camera. decisions: one per row of `sightings`, in its order.
    """

    frame: int
    sightings: Sightings
    decisions: Sequence[Decision]

    def rows(self) -> Iterator[tuple[int, list[float], float, Decision]]:
        """(track, box as left, top, width, height, confidence, decision) by person, as plain numbers."""
        seen = self.sightings
        return zip(seen.track_ids.tolist(), seen.boxes.tolist(), seen.confidences.tolist(), self.decisions, strict=True)


def shared_ids(decisions: Sequence[Decision]) -> int:
    """Rows whose identity an earlier row of their frame has too; decisions: of at most one frame of each camera."""
    named = [(decision.camera, decision.global_id) for decision in decisions if decision.global_id >= 0]
    return len(named) - len(set(named))


class Sink(Protocol):
    """Where records go. Called from one thread, in the order of time; `close` may be called twice."""

    def write_frame(self, record: FrameRecord) -> None: ...

    def write_events(self, events: Sequence[IdentityEvent]) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class StreamSink(Sink, Protocol):
    """A sink that is told, once or more, when no frame of a camera will come any more."""

    def end_source(self, camera: str) -> None: ...
