"""Runs a plugin on DeepStream's batches. Nothing that it meets there may stop the stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from savant_reid.hosts.deepstream.arrays import BatchArrays, Reader
from savant_reid.hosts.deepstream.batch import Batch
from savant_reid.hosts.deepstream.bridge import Bridge, model_id, people_ids
from savant_reid.hosts.deepstream.epochs import epochs_of
from savant_reid.hosts.deepstream.events import Outbox
from savant_reid.hosts.deepstream.frames import DeepStreamFrame, Embedded, Head, moments, people_rows, sightings_of
from savant_reid.hosts.deepstream.heads import Heads
from savant_reid.hosts.deepstream.meters import Meters
from savant_reid.hosts.deepstream.outlet import Outlet, outlet_for
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.types import Decision
from savant_reid.sinks.kafka import KafkaSink

# Metrics are shown after the first batch and then after each so many: about once in half a second.
PUBLISH_EVERY = 16


class Runner:
    """One plugin of one element.

    element: its name in the module, for logs, metrics and epochs. get_frames: see Heads. troubles: notes what goes
    wrong. reader: of the metadata. gather: copies a batch's embeddings; None where none are read.
    """

    def __init__(
        self,
        plugin: Plugin,
        bridge: Bridge,
        element: str,
        get_frames: Callable[[int], Any],
        troubles: Troubles,
        meters: Meters,
        reader: Reader,
        gather: Callable[[BatchArrays], Embedded] | None = None,
    ) -> None:
        self.plugin = plugin
        self.troubles = troubles
        troubles.on_count = lambda kind, camera: meters.add("reid_troubles", 1, camera, kind)
        self._bridge = bridge
        self._meters = meters
        self._reader = reader
        self._gather = gather
        self._epochs = epochs_of(element)
        self._heads = Heads(bridge, get_frames, self._epochs, self.troubles, plugin.refuses)
        self._outbox = Outbox(self.troubles)
        self._outlet: Outlet | None = None
        self._people = (-1, -1)
        self._gie: int | None = None
        self._batches = 0

    def start(self) -> None:
        """Raises ConfigError where the module lacks what the plugin is told to read, OutputError where Kafka's spool
        cannot be used."""
        self._people = people_ids(self._bridge, self.plugin.people)
        if self.plugin.embedding_model is not None:
            self._gie = model_id(self._bridge, self.plugin.embedding_model)
        self.plugin.on_start()
        if self.plugin.kafka is not None:
            self._outlet = outlet_for(self.plugin.kafka, self.plugin.site_name)

    def process(self, buffer: Any) -> None:
        """One batch. Raises nothing."""
        begin = time.perf_counter()
        try:
            self._process(buffer)
        except Exception as error:  # whatever it is, the stream goes on
            self.troubles.note("batch", "-", "-", error)
        self._batches += 1
        self._meters.add("reid_batches", 1)
        self._meters.add("reid_seconds", time.perf_counter() - begin)
        if self._batches % PUBLISH_EVERY == 1:
            self.publish_meters()

    def stop(self) -> None:
        """After the last batch. Raises nothing."""
        try:
            self.plugin.on_stop()
        except Exception as error:
            self.troubles.note("stop", "-", "-", error)
        if self._outlet is not None:
            self._outlet.close()
        self.publish_meters()

    def publish_meters(self) -> None:
        """Show the metrics as they are now."""
        try:
            sinks = {} if self._outlet is None else {KafkaSink.name: self._outlet.figures()}
            self._meters.publish(self.plugin.figures(), self.plugin.camera_figures(), sinks)
        except Exception as error:
            self.troubles.note("metrics", "-", "-", error)

    def source_added(self, camera: str) -> None:
        self._epochs.end(camera)
        self._heads.ask_again(camera)
        self._tell("source add", camera, self.plugin.on_source_add)

    def source_ended(self, camera: str) -> None:
        self._epochs.end(camera)
        self._tell("source EOS", camera, self.plugin.on_source_eos)

    def source_deleted(self, camera: str) -> None:
        self._epochs.end(camera)
        self._heads.ask_again(camera)
        self._tell("source delete", camera, self.plugin.on_source_delete)

    def _tell(self, kind: str, camera: str, hook: Callable[[str], None]) -> None:
        try:
            hook(camera)
        except Exception as error:  # of one camera
            self.troubles.note(kind, camera, "-", error)

    def _process(self, buffer: Any) -> None:
        batch_meta = self._bridge.batch_meta(buffer)
        arrays = self._reader.read(buffer, batch_meta, self._gie)
        batch = Batch(self._bridge, self._reader, batch_meta, arrays)
        batch.restore_class_ids()
        heads = self._heads.read(buffer, batch_meta)
        if heads:
            self._publish(heads[0], self._run(batch, heads))

    def _run(self, batch: Batch, heads: Sequence[Head]) -> list[DeepStreamFrame]:
        """The frames in the order in which they were decided."""
        rows, starts, left_out = people_rows(batch.arrays, self._people)
        write = self._writer(batch)
        self._meters.add("reid_left_out", left_out)
        frames = [
            DeepStreamFrame(head, rows[starts[head.index] : starts[head.index + 1]], seen, batch.park, write)
            for head, seen in zip(
                heads, sightings_of(batch.arrays, heads, rows, starts, self._embedded(batch.arrays)), strict=True
            )
        ]
        parts = moments(frames) if self.plugin.joint else [[frame] for frame in frames]
        for part in parts:
            try:
                self.plugin.process_batch(part)
            except Exception as error:  # these frames go on without an answer
                for frame in part:
                    self.troubles.note("frame", frame.camera, frame.head.frame_num, error)
        batch.flush()
        self._count(frames)
        return [frame for part in parts for frame in part]

    def _embedded(self, arrays: BatchArrays) -> Embedded:
        if self._gather is None or not arrays.tensors.any():
            return Embedded.none(len(arrays))
        try:
            return self._gather(arrays)
        except Exception as error:  # a wrong model, a device that fails: tracks go on, nobody is recognised
            self.troubles.note("embeddings", "-", "-", error)
            return Embedded.none(len(arrays))

    def _writer(self, batch: Batch) -> Callable[[DeepStreamFrame, Sequence[Decision]], None]:
        def write(frame: DeepStreamFrame, decisions: Sequence[Decision]) -> None:
            try:
                self._complete(batch)
                self._bridge.attributes.write(batch.uids(frame.rows), decisions)
            except Exception as error:  # one frame's answer
                self.troubles.note("write", frame.camera, frame.head.frame_num, error)

        return write

    def _complete(self, batch: Batch) -> None:
        if batch.complete:
            return
        for _, error in batch.complete_uids():
            self.troubles.note("object without a key", "-", "-", error)
        self._meters.add("reid_keys_parted", len(batch.part_uids()))

    def _publish(self, head: Head, frames: Sequence[DeepStreamFrame]) -> None:
        events = self.plugin.take_events()
        if self._outlet is not None:  # before the batch leaves: what it says of somebody rests on these events
            self._outlet.write(events, frames, self.troubles)
        for event in events:
            self._meters.add("reid_events", 1, event.kind.value)
        if events:
            self._outbox.put(events, self.plugin.site_name)
        self._outbox.send(head, self._bridge.attach_texts)

    def _count(self, frames: Sequence[DeepStreamFrame]) -> None:
        for frame in frames:
            seen, camera = frame.sightings(), frame.camera
            self._meters.add("reid_frames", 1, camera)
            self._meters.add("reid_people", len(seen), camera)
            self._meters.add("reid_held_back", frame.held_back, camera)
            if len(seen.embeddings):
                self._meters.add("reid_embeddings", int(np.count_nonzero(seen.embedding_of >= 0)), camera)
