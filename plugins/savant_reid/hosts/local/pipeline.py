"""The module's elements in the order of the YAML, run over batches of frames."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Protocol

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.detector import Detector
from savant_reid.hosts.local.embedder import Embedder
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.module_config import Module
from savant_reid.hosts.local.module_schema import (
    AttributeModelElement,
    DetectorElement,
    DrawFunc,
    Element,
    PyFuncElement,
    TrackerElement,
)
from savant_reid.hosts.local.prefetch import Prefetch
from savant_reid.hosts.local.stopwatch import Stopwatch
from savant_reid.hosts.local.tracker import CameraTrackers
from savant_reid.hosts.local.tracker_settings import ByteTrackSettings, DeepSortSettings, TrackerSettings
from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.types import IdentityEvent
from savant_reid.monitoring.monitor import Monitor

MODEL_STAGES = MappingProxyType(
    {DetectorElement: "detector", TrackerElement: "tracker", AttributeModelElement: "embedder"}
)
# What the host itself measures beside them.
RESERVED_STAGES = frozenset({*MODEL_STAGES.values(), "decode", "overlay", "encode", "sinks"})


class Stage(Protocol):
    """One element at work on a batch: it changes the frames in place."""

    def __call__(self, frames: Sequence[Frame]) -> object: ...


class Pipeline:
    """All stages of a module. The detector works one batch ahead in a thread of its own, the rest in the caller's.

    frame_rates: of the cameras whose rate is known, for the tracker. monitor: told of each batch and stage.
    """

    def __init__(self, module: Module, frame_rates: Mapping[str, float], monitor: Monitor | None = None) -> None:
        self.watch = Stopwatch()
        self._monitor = monitor or Monitor()
        self.embeddings = 0
        self.plugins: list[Plugin] = []
        self.detector: Detector | None = None
        self.embedder: Embedder | None = None
        self._module = module
        self._frame_rates = frame_rates
        stages = list(zip(_stage_names(module), map(self._stage, module.elements), strict=True))
        self._check_embedding_model()
        ahead = next((i + 1 for i, e in enumerate(module.elements) if isinstance(e, DetectorElement)), 0)
        self._ahead, self._rest = stages[:ahead], stages[ahead:]

    def run(
        self, batches: Iterable[list[Frame]], stop: Callable[[], None] = lambda: None
    ) -> Generator[tuple[list[Frame], list[IdentityEvent]], None, None]:
        """Finished batches with the identity events they caused, in order.

        stop: makes `batches` end though it waits for frames. Close the generator: its thread and the plugins end then.
        """
        with ExitStack() as stack:
            for plugin in self.plugins:
                plugin.on_start()
                stack.callback(plugin.on_stop)
            prefetch = Prefetch((self._apply(self._ahead, frames) for frames in batches), stop=stop)
            stack.callback(prefetch.close)
            elements = self.elements()
            for frames in prefetch:
                self._apply(self._rest, frames)
                self._check_decided(frames)
                yield frames, [event for name, plugin in elements.items() for event in self._events(name, plugin)]

    def elements(self) -> dict[str, Plugin]:
        """The plugins by the names of their elements, in order."""
        names = _stage_names(self._module)
        pyfuncs = [n for n, e in zip(names, self._module.elements, strict=True) if isinstance(e, PyFuncElement)]
        return dict(zip(pyfuncs, self.plugins, strict=True))

    def stage_seconds(self) -> dict[str, dict[str, float]]:
        """Seconds by stage, by the wall and of the CPU; models say how much of theirs was inference."""
        cpu = self.watch.cpu_seconds
        stages = {name: {"seconds": s, "cpu_seconds": cpu[name]} for name, s in self.watch.seconds.items()}
        for name, model in (("detector", self.detector), ("embedder", self.embedder)):
            if model is not None:
                stage = stages.setdefault(name, {"seconds": 0.0, "cpu_seconds": 0.0})
                stage["inference_seconds"] = model.inference_seconds
                stage["inference_cpu_seconds"] = model.inference_cpu_seconds
        if self.embedder is not None:
            stages["embedder"]["embeddings"] = self.embeddings
        return stages

    def _apply(self, stages: Sequence[tuple[str, Stage]], frames: list[Frame]) -> list[Frame]:
        for name, stage in stages:
            begin = time.perf_counter()
            with self.watch.measure(name):
                stage(frames)
            self._monitor.passed(name, frames, time.perf_counter() - begin)
        return frames

    def _events(self, name: str, plugin: Plugin) -> list[IdentityEvent]:
        events = plugin.take_events()
        self._monitor.happened(name, events)
        return events

    def _stage(self, element: Element) -> Stage:
        settings = self._module.local_host
        if isinstance(element, DetectorElement):
            self.detector = Detector(element, settings)
            return self.detector.detect
        if isinstance(element, TrackerElement):
            return self._tracker().track
        if isinstance(element, AttributeModelElement):
            self.embedder = self.embedder or Embedder(element, settings)
            return self._embed
        if isinstance(element, PyFuncElement):
            try:
                plugin = load_class(element.module, element.class_name, element.kwargs)
            except ConfigError as error:
                raise ConfigError(f"{self._module.path}: pipeline.elements: {error}") from error
            if not isinstance(plugin, Plugin):
                raise ConfigError(
                    f"{self._module.path}: {element.name or element.class_name}: expected a subclass of "
                    f"savant_reid.hosts.plugin.Plugin, found {element.module}.{element.class_name}"
                )
            if plugin.kafka is not None:
                raise ConfigError(
                    f"{self._module.path}: {element.name or element.class_name}: kafka: expected none on the local "
                    f"host (there: savant-reid run --kafka), found {plugin.kafka.brokers}; is SAVANT_REID_KAFKA set?"
                )
            self.plugins.append(plugin)
            return plugin.process_batch
        raise ConfigError(f"{self._module.path}: {element.element}: the local host has no stage for it")

    def _tracker(self) -> CameraTrackers:
        settings = _tracker_settings(self._module)
        element = self._module.embedder
        if settings.looks_from is None:
            return CameraTrackers(settings, self._frame_rates)
        if element is None:
            raise ConfigError(
                f"{self._module.path}: parameters.local_host.tracker: {self._module.local_host.tracker} needs an "
                "nvinfer@attribute_model to tell people apart, found none"
            )
        self.embedder = Embedder(element, self._module.local_host)
        return CameraTrackers(settings, self._frame_rates, self.embedder.look)

    def _embed(self, frames: Sequence[Frame]) -> None:
        if self.embedder is not None:
            self.embeddings += self.embedder.embed(frames)

    def _check_embedding_model(self) -> None:
        """Whoever reads embeddings must mean those of this module's model."""
        found = self.embedder.name if self.embedder else None
        pyfuncs = [element for element in self._module.elements if isinstance(element, PyFuncElement)]
        for element, plugin in zip(pyfuncs, self.plugins, strict=True):
            if found is not None and plugin.embedding_model not in (None, found):
                raise ConfigError(
                    f"{self._module.path}: {element.class_name}: embedding_model: expected the name of the module's "
                    f"nvinfer@attribute_model, {found!r}; found {plugin.embedding_model!r}"
                )

    def _check_decided(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if len(frame.decisions) != len(frame.track_ids):
                raise ConfigError(
                    f"{self._module.path}: pipeline.elements: expected a pyfunc that decides identities "
                    "(savant_reid.pyfuncs.identify), found none"
                )


def _tracker_settings(module: Module) -> TrackerSettings:
    """Those of the tracker that the module names, checked; of the other one, too, as a misspelling is one anyway."""
    host = module.local_host
    try:
        settings = {
            "bytetrack": ByteTrackSettings.from_mapping(host.bytetrack),
            "deepsort": DeepSortSettings.from_mapping(host.deepsort),
        }
    except ConfigError as error:
        raise ConfigError(f"{module.path}: parameters.local_host: {error}") from error
    return settings[host.tracker]


def load_class(module: str, class_name: str, kwargs: Mapping[str, Any]) -> Any:
    """An instance of a pyfunc's class. Raises ConfigError when there is none, or when it takes other kwargs."""
    try:
        found = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"pyfunc {module}.{class_name}: cannot be loaded: {error}") from error
    try:
        return found(**kwargs)
    except TypeError as error:
        raise ConfigError(f"pyfunc {module}.{class_name}: kwargs: {error}") from error


def load_draw_func(element: DrawFunc | None) -> Any | None:
    """The module's overlay, or None where it has none."""
    return load_class(element.module, element.class_name, element.kwargs) if element else None


def _stage_names(module: Module) -> list[str]:
    """What each element's seconds are counted under: no two share a name, as they may run in two threads."""
    names: list[str] = []
    for element in module.elements:
        name = next((name for kind, name in MODEL_STAGES.items() if isinstance(element, kind)), None)
        if name is None:
            name = element.name or f"{element.element}[{len(names)}]"
            taken = RESERVED_STAGES.intersection([name]) or name in names
            if taken:
                others = ", ".join(sorted({*RESERVED_STAGES, *names}))
                raise ConfigError(
                    f"{module.path}: pipeline.elements: {element.element}: name: expected one that is not taken "
                    f"({others}), found {name!r}"
                )
        names.append(name)
    return names
