"""Gate, re-ID model and identify in a row, on metadata in memory as DeepStream lays it out, read the fast way."""

from __future__ import annotations

import dataclasses
import logging
from types import SimpleNamespace

import numpy as np

from savant_reid.hosts.deepstream.gather import Gatherer, HostMemory
from savant_reid.hosts.deepstream.meters import Meters
from savant_reid.hosts.deepstream.reader import CheckedReader
from savant_reid.hosts.deepstream.runner import Runner
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.pyfuncs.gate import Gate
from savant_reid.pyfuncs.identify import Identify
from savant_reid.testing.deepstream_memory import REID, Memory, pyds
from tests.hosts.deepstream.scene import DETECTOR, FRAME_NS, START_NS, Scene
from tests.identity.scenes import People

STEPS = 64
# From here on all is read the fast way.
CHECKED = 16


class Pipeline:
    """Two cameras; person p stands before camera p // 2 for ever, under track p + 1."""

    def __init__(self, site_file):
        self.people, self.scene, self.memory, self.embedded = People(3), Scene(), Memory(), []
        self.bridge = dataclasses.replace(
            self.scene.bridge,
            pyds=pyds,
            batch_meta=lambda _: self.memory.batch,
            savant_frame=lambda frame: SimpleNamespace(idx=frame.pad_index),
        )
        self.gate = self._runner(Gate(), None)
        gatherer = Gatherer(HostMemory(), "person_reid")
        self.identify = self._runner(Identify(str(site_file), "person_reid"), gatherer)

    def _runner(self, plugin, gather):
        element = f"{type(plugin).__name__} of {id(self)}"
        troubles = Troubles(logging.getLogger("test"), element)
        reader = CheckedReader(pyds, lambda why: troubles.note("slow reading", "-", "-", why))
        meters = Meters(self.bridge, element, self.scene.exporter, self.scene.exporter)
        runner = Runner(
            plugin, self.bridge, element, lambda _: self.scene.video_frames, troubles, meters, reader, gather
        )
        runner.start()
        return runner

    def step(self, step):
        """Objects of the batch, by person."""
        self.memory = Memory()
        objects = []
        for pad, camera in enumerate(("door", "hall")):
            self.scene.video_frames[pad] = SimpleNamespace(
                source_id=camera, creation_timestamp_ns=START_NS + step * FRAME_NS, uuid="", texts=[]
            )
            frame = self.memory.frame(pad)
            for person in (2 * pad, 2 * pad + 1):
                box = (100 + 300 * (person % 2), 200, 120, 360)
                objects.append(self.memory.object(frame, person + 1, box, (1, 4 * step + person + 1, 0, 0)))
        self.gate.process(None)
        due = [(p, obj) for p, obj in enumerate(objects) if obj.unique_component_id == DETECTOR and obj.class_id == 0]
        if due:
            crops = np.stack([self.people.crop(p) for p, _ in due])
            self.memory.tensors([obj for _, obj in due], [("embedding", crops)], REID)
        self.embedded.append([p for p, _ in due])
        self.identify.process(None)
        return objects


def test_people_are_embedded_when_due_and_each_carries_one_identity_for_ever(site_file, monkeypatch):
    monkeypatch.setattr("savant_reid.hosts.deepstream.reader.CHECKED_OBJECTS", 4 * 8)
    monkeypatch.setattr("savant_reid.hosts.deepstream.reader.CHECKED_TENSORS", 4)
    pipeline = Pipeline(site_file)
    for step in range(STEPS):
        objects = pipeline.step(step)
        assert [obj.class_id for obj in objects] == [0, 0, 0, 0]
        assert [obj.object_id for obj in objects] == [1, 2, 3, 4]
        written = [pipeline.scene.storage.pop(int(obj.misc_obj_info[1])) for obj in objects]
        said = [entry["reid", "global_id"][0].value for entry in written]
        assert not pipeline.scene.storage
    assert sorted(said) == [1, 2, 3, 4]
    for runner in (pipeline.gate, pipeline.identify):
        assert not runner.troubles.counts
        assert runner._reader.fast
        assert runner._reader.trusted
    seconds = STEPS * FRAME_NS * 1e-9
    each = [sum(person in due for due in pipeline.embedded) for person in range(4)]
    assert all(0 < count / seconds < 3 for count in each)
    assert min(sum(p in due for due in pipeline.embedded[CHECKED:]) for p in range(4)) > 0
