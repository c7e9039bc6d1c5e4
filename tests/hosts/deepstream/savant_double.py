"""Modules under the names of Savant's, with just what our classes take from them, for as long as a test lasts.

The real ones need DeepStream's compiled parts. What these do was read in Savant 0.5.0; see docs/deepstream.md.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from enum import Enum
from types import SimpleNamespace
from typing import Any

from tests.hosts.deepstream import pyds_double
from tests.hosts.deepstream.scene import DETECTOR, REID, AttributeMeta, Metric, Scene

# Our modules that import Savant; they must not outlive the test.
IMPORT_SAVANT = [f"savant_reid.hosts.deepstream.{name}" for name in ("plugin", "draw", "converter")]


class NvDsPyFuncPlugin:
    """As savant.deepstream.pyfunc: kwargs become attributes, whatever they are called."""

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.logger = logging.getLogger(self.__module__)
        self.gst_element: Any = None
        self.sources: dict[int, str] = {}

    def on_start(self) -> bool:
        self._video_pipeline = self.gst_element.get_property("pipeline")
        self._metrics_exporter = self.gst_element.get_property("metrics-exporter")
        self.metrics = self._metrics_exporter
        return True

    def on_stop(self) -> bool:
        return True

    def on_event(self, event: tuple[str, int]) -> None:
        kind, pad = event
        source_id = self.sources[pad]
        {"add": self.on_source_add, "eos": self.on_source_eos, "delete": self.on_source_delete}[kind](source_id)


class NvDsDrawFunc(NvDsPyFuncPlugin):
    def __init__(self, condition: dict[str, Any], **kwargs: Any) -> None:
        self.condition = condition
        super().__init__(**kwargs)

    def process_buffer(self, buffer: Any) -> None:
        for frame_meta in buffer:
            self.process_frame(buffer, frame_meta)

    def process_frame(self, _buffer: Any, frame_meta: Any) -> None:
        self.draw_on_frame(frame_meta, frame_meta.artist)


class Element:
    """The GStreamer element that owns a pyfunc."""

    def __init__(self, name: str, properties: Mapping[str, Any], elements: Mapping[str, Any] | None = None) -> None:
        self._name, self._properties, self._elements = name, properties, elements or {}

    def get_name(self) -> str:
        return self._name

    def get_property(self, name: str) -> Any:
        return self._properties[name]

    def get_parent(self) -> Any:
        return SimpleNamespace(get_by_name=self._elements.get)


def names_of_savant(scene: Scene) -> dict[str, dict[str, Any]]:
    """What each of Savant's modules holds, by its name."""
    bridge = scene.bridge
    return {
        "pyds": {**vars(pyds_double), "gst_buffer_get_nvds_batch_meta": bridge.batch_meta},
        "pygstsavantframemeta": {
            "gst_buffer_get_savant_batch_meta": bridge.savant_batch,
            "nvds_frame_meta_get_nvds_savant_frame_meta": bridge.savant_frame,
        },
        "savant.base.pyfunc": {},
        "savant.base.converter": {
            "BaseAttributeModelOutputConverter": type("BaseAttributeModelOutputConverter", (), {}),
            "TensorFormat": Enum("TensorFormat", "NumPy CuPy"),
        },
        "savant.deepstream.pyfunc": {"NvDsPyFuncPlugin": NvDsPyFuncPlugin},
        "savant.deepstream.drawfunc": {"NvDsDrawFunc": NvDsDrawFunc},
        "savant.deepstream.utils.attribute": {"NVDS_OBJ_ATTR_STORAGE": scene.storage},
        "savant.deepstream.utils.object": {"nvds_get_obj_uid": bridge.object_uid},
        "savant.meta.attribute": {"AttributeMeta": AttributeMeta},
        "savant.metrics.metric": {"Counter": Metric, "Gauge": Metric},
        "savant.utils.artist": {"Position": SimpleNamespace(LEFT_BOTTOM="left bottom")},
        "savant.utils.version": {"version": SimpleNamespace(SAVANT="0.5.0", SAVANT_RS="0.3.5")},
        "savant_rs.primitives": {"AttributeValue": SimpleNamespace(strings=list)},
        "savant_rs.primitives.geometry": {"BBox": SimpleNamespace(ltwh=lambda *ltwh: ltwh)},
        "savant_rs.utils.symbol_mapper": {
            "get_model_id": lambda _: REID,
            "get_object_id": lambda *_: (DETECTOR, 0),
            "is_model_registered": lambda name: name == "person_reid",
            "is_object_registered": lambda *name: name == ("person_detector", "person"),
        },
    }


def load(module: str, class_name: str, **kwargs: Any) -> Any:
    """As Savant's PyFunc: the module is executed afresh, whoever has done so before; kwargs travel as JSON."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return getattr(fresh, class_name)(**json.loads(json.dumps(kwargs)))


def start(pyfunc: Any, scene: Scene, name: str, elements: Mapping[str, Any] | None = None) -> Any:
    """As the `pyfunc` element does before the first buffer."""
    pipeline = SimpleNamespace(get_batch=lambda _: (scene.video_frames, {}))
    pyfunc.gst_element = Element(name, {"pipeline": pipeline, "metrics-exporter": scene.exporter}, elements)
    pyfunc.sources = dict(enumerate(scene.cameras))
    assert pyfunc.on_start() is True
    return pyfunc
