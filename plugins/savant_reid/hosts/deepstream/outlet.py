"""Frames and identity events to Kafka from within Savant: here events are born, and here they are put on disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from savant_reid.hosts.deepstream.frames import DeepStreamFrame
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.hosts.plugin import KafkaOutput
from savant_reid.identity.types import IdentityEvent
from savant_reid.records import FrameRecord
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.kafka import KafkaSink
from savant_reid.sinks.kafka_settings import KafkaSettings, load_kafka_settings

# While the disk takes none, so many events are held in memory; beyond, the oldest are dropped and counted.
MOST_WAITING = 100_000

_lock = threading.Lock()
# By spool, for the same reason as the resolvers (pyfuncs/shared.py): in development mode Savant makes a new pyfunc in
# the same process, whose run, numbers of frames and spool are those of the one before.
_open: dict[Path, Outlet] = {}


class Outlet:
    """One KafkaSink for all that this process decides about a site. For one thread at a time.

    Track ids are those of the identity core, with the epoch of the camera's stream above bit 40: unique in a run, where
    the tracker's own are not. `frame` counts from 0 per camera here: DeepStream's begins anew with a camera's stream,
    and messages of two frames would have one id.
    """

    def __init__(self, sink: KafkaSink, spool: Path) -> None:
        self.sink = sink
        self._spool = spool
        self._frames: Counter[str] = Counter()
        self._unsaved: list[IdentityEvent] = []

    def write(self, events: Sequence[IdentityEvent], frames: Sequence[DeepStreamFrame], troubles: Troubles) -> None:
        """Raises nothing. Events that the disk does not take are tried again with the next batch, before newer ones."""
        self._unsaved += events
        if self._unsaved:
            try:
                self.sink.write_events(self._unsaved)
                self._unsaved = []
            except Exception as error:
                troubles.note("kafka events", "-", "-", error)
                for _ in self._unsaved[:-MOST_WAITING]:
                    troubles.note("event dropped", "-", "-", "the disk has taken no event for too long")
                del self._unsaved[:-MOST_WAITING]
        for frame in frames:
            if frame.decisions is None:  # it went on without an answer
                continue
            try:
                self.sink.write_frame(FrameRecord(self._frames[frame.camera], frame.sightings(), frame.decisions))
            except Exception as error:  # one frame's message
                troubles.note("kafka frame", frame.camera, frame.head.frame_num, error)
            self._frames[frame.camera] += 1

    def figures(self) -> Mapping[str, float]:
        return self.sink.figures()

    def close(self) -> None:
        """Gives the broker the time that the settings allow; what it has not taken waits in the spool."""
        with _lock:
            _open.pop(self._spool, None)
        self.sink.close()


def outlet_for(output: KafkaOutput, site: str) -> Outlet:
    """The outlet with this spool, opened at the first call. Raises ConfigError or OutputError where it cannot be."""
    settings = load_kafka_settings(output.config) if output.config else KafkaSettings()
    spool = (settings.spool or output.spool).absolute()
    with _lock:
        if spool not in _open:
            _open[spool] = Outlet(KafkaSink(output.brokers, FrameLines(site), spool, settings), spool)
        return _open[spool]
