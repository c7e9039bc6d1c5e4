"""Savant around the stand-in for pyds: frames, its storage of attributes, and what its output conversion refuses."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from savant_reid.hosts.deepstream.arrays import BatchArrays
from savant_reid.hosts.deepstream.attributes import Attributes
from savant_reid.hosts.deepstream.bridge import Bridge
from savant_reid.hosts.deepstream.frames import Embedded
from savant_reid.hosts.deepstream.meters import Meters
from savant_reid.hosts.deepstream.pyds_batch import PydsReader
from savant_reid.hosts.deepstream.runner import Runner
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.hosts.plugin import Plugin
from tests.hosts.deepstream import pyds_double as pyds

DETECTOR, REID = 7, 9
START_NS = 1_700_000_000_000_000_000
FRAME_NS = 40_000_000


@dataclass
class AttributeMeta:
    element_name: str
    name: str
    value: Any
    confidence: float


class Metric:
    def __init__(self, name: str, description: str, labelnames: tuple[str, ...]) -> None:
        self.name, self.description, self.labelnames, self.values = name, description, labelnames, {}

    def inc(self, amount: float, labels: tuple[str, ...]) -> None:
        assert len(labels) == len(self.labelnames)
        assert amount > 0
        self.values[labels] = self.values.get(labels, 0) + amount

    def set(self, value: float, labels: tuple[str, ...]) -> None:
        assert len(labels) == len(self.labelnames)
        self.values[labels] = value


class Exporter(dict):
    """As Savant's registry and exporter in one: refuses a name that it has already."""

    __hash__ = object.__hash__

    def __setitem__(self, name: str, metric: Metric) -> None:
        if name in self:
            raise ValueError(f"Failed to register metric {name}: metric already exists")
        super().__setitem__(name, metric)


@dataclass
class Scene:
    """Batches of frames of several cameras; camera i comes in by pad i."""

    cameras: Sequence[str] = ("door", "hall")
    storage: dict[int, dict[tuple[str, str], list[AttributeMeta]]] = field(default_factory=dict)
    step: int = 0

    def __post_init__(self) -> None:
        self.exporter = Exporter()
        self.video_frames: dict[int, SimpleNamespace] = {}
        self.batch = pyds.NvDsBatchMeta([])
        self.bridge = Bridge(
            pyds=pyds,
            batch_meta=lambda _: self.batch,
            savant_batch=lambda _: SimpleNamespace(idx=1),
            savant_frame=lambda f: None if f.savant_idx is None else SimpleNamespace(idx=f.savant_idx),
            object_uid=self._object_uid,
            object_id=lambda element, label: {("person_detector", "person"): (DETECTOR, 0)}.get((element, label)),
            model_id=lambda element: {"person_reid": REID}.get(element),
            attributes=Attributes(self.storage, AttributeMeta),
            attach_texts=lambda frame, name, texts: frame.texts.append((name, list(texts))),
            counter=Metric,
            gauge=Metric,
        )

    def next(self, *people: Sequence[int]) -> pyds.NvDsBatchMeta:
        """The next batch: for each camera the track ids of its people, side by side, with keys as Savant gives them."""
        frames = []
        for index, (camera, tracks) in enumerate(zip(self.cameras, people, strict=False)):
            frame = pyds.NvDsFrameMeta(index, self.step, index)
            for place, track in enumerate(tracks):
                obj = pyds.NvDsObjectMeta(track, (20.0 + 90 * place, 60.0, 60.0, 180.0), DETECTOR, 0)
                frame.objects.append(obj)
                self._object_uid(frame, obj)
            frames.append(frame)
            stamp = START_NS + self.step * FRAME_NS
            self.video_frames[index] = SimpleNamespace(
                source_id=camera, creation_timestamp_ns=stamp, uuid="", pts=999, texts=[]
            )
        self.batch = pyds.NvDsBatchMeta(frames)
        self.step += 1
        return self.batch

    def runner(self, plugin: Plugin, element: str = "", **options: Any) -> Runner:
        element = element or f"{type(plugin).__name__} {id(self)}"
        meters = Meters(self.bridge, element, self.exporter, self.exporter)
        runner = Runner(
            plugin,
            self.bridge,
            element,
            lambda _: self.video_frames,
            Troubles(logging.getLogger("test"), element),
            meters,
            PydsReader(pyds),
            **options,
        )
        runner.start()
        return runner

    def metric(self, name: str, *runners: Runner) -> dict[tuple[str, ...], float]:
        """Values by labels, once these runners have shown theirs."""
        for runner in runners:
            runner.publish_meters()
        return self.exporter[name].values

    def objects(self) -> list[pyds.NvDsObjectMeta]:
        return [obj for frame in self.batch.frames for obj in frame.objects]

    def convert(self) -> list[list[dict[tuple[str, str], Any]]]:
        """What leaves Savant, by frame and object; raises where Savant's output conversion would drop the batch."""
        out = []
        for frame in self.batch.frames:
            ids: set[int] = set()
            out.append([])
            for obj in frame.objects:
                uid = self._object_uid(frame, obj)
                if uid in ids:
                    raise ValueError("Object with the same id already exists in the frame")
                ids.add(uid)
                attributes = self.storage.pop(uid, {})
                out[-1].append({key: _plain(metas[0].value) for key, metas in attributes.items()})
        return out

    @staticmethod
    def _object_uid(frame: pyds.NvDsFrameMeta, obj: pyds.NvDsObjectMeta) -> int:
        if obj.misc_obj_info[1] == 0:
            box = obj.detector_bbox_info.org_bbox_coords
            if not box.width > 0:
                raise ValueError("No valid bounding box found in Deepstream meta information.")
            obj.misc_obj_info[0] = 1
            key = hash((frame.source_id, frame.frame_num, obj.obj_label, box.left, box.top, box.width, box.height))
            # As NumPy 1.26, which Savant needs, writes 64 bits into 32: the lower ones. The first to ask gets all.
            obj.misc_obj_info[1] = np.array(key).astype(np.int32)
            return key
        return int(obj.misc_obj_info[1])


def _plain(value: Any) -> Any:
    """savant-rs takes these exact types and no others."""
    if type(value) not in (bool, int, float, str):
        raise TypeError(f"unsupported attribute value {type(value)}")
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise OverflowError("int too big to convert")
    return value


def gather_host(arrays: BatchArrays, dimension: int) -> Embedded:
    """Embeddings by following the pointers, one by one."""
    at = np.flatnonzero(arrays.tensors)
    embedding_of = np.full(len(arrays), -1, np.int64)
    embedding_of[at] = np.arange(len(at))
    vectors = [np.ctypeslib.as_array((ctypes.c_float * dimension).from_address(int(p))) for p in arrays.tensors[at]]
    return Embedded(embedding_of, np.array(vectors, np.float32).reshape(-1, dimension))


class Recorder(Plugin):
    """Keeps what it was given, and does with it what it is told."""

    def __init__(self, do: Callable[[Any], None] = lambda _: None) -> None:
        self.seen: list[Any] = []
        self.heard: list[tuple[str, str]] = []
        self.events: list[Any] = []
        self._do = do

    def process_batch(self, frames: Sequence[Any]) -> None:
        self.seen.append([frame.sightings() for frame in frames])
        for frame in frames:
            self._do(frame)

    def take_events(self) -> list[Any]:
        events, self.events = self.events, []
        return events

    @property
    def site_name(self) -> str:
        return "shop"

    def on_source_add(self, camera: str) -> None:
        self.heard.append(("add", camera))

    def on_source_eos(self, camera: str) -> None:
        self.heard.append(("eos", camera))

    def on_source_delete(self, camera: str) -> None:
        self.heard.append(("delete", camera))
