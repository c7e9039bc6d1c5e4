"""All files of a run folder behind one sink."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord, Sink, StreamSink
from savant_reid.sinks.frames import FrameLines, FramesSink
from savant_reid.sinks.identities import IdentitiesSink
from savant_reid.sinks.sightings import SightingsSink
from savant_reid.sinks.tracks import HOLD_SECONDS, TracksSink


class FolderSink:
    """Hands every record to each sink in turn; `close` closes all of them even when one fails."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = tuple(sinks)

    def write_frame(self, record: FrameRecord) -> None:
        for sink in self.sinks:
            sink.write_frame(record)

    def write_events(self, events: Sequence[IdentityEvent]) -> None:
        if events:
            for sink in self.sinks:
                sink.write_events(events)

    def end_source(self, camera: str) -> None:
        for sink in self.sinks:
            if isinstance(sink, StreamSink):
                sink.end_source(camera)

    def close(self) -> None:
        with ExitStack() as stack:
            for sink in reversed(self.sinks):
                stack.callback(sink.close)


def open_run_sinks(
    folder: Path,
    site: str,
    embedding_model: str,
    hold_seconds: float = HOLD_SECONDS,
    lines: FrameLines | None = None,
    more: Sequence[Sink] = (),
) -> FolderSink:
    """The four files that grow with the run. embedding_model: name that is written into sightings.parquet.

    lines: see FramesSink. more: other sinks for the same records; they are closed with the files.
    Raises OutputError where a file cannot be opened.
    """
    return FolderSink(
        [
            FramesSink(folder, site, lines),
            IdentitiesSink(folder, site),
            TracksSink(folder, hold_seconds),
            SightingsSink(folder, embedding_model),
            *more,
        ]
    )
