"""What the local host tells of its run, and where it goes."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from savant_reid.hosts.plugin import Plugin
from savant_reid.identity.types import IdentityEvent, Int64s
from savant_reid.monitoring.health import CameraView, Health
from savant_reid.monitoring.meters import Meters

log = logging.getLogger(__name__)

# Figures of the identity core are shown this often: some cost as much as a decision.
PUBLISH_SECONDS = 0.5
# Figures of one output, at the most, and what they may be called.
MOST_FIGURES = 64
_FIGURE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Stats(Protocol):
    """See hosts.local.sources.CameraStats."""

    drops: dict[str, int]
    decode_errors: int
    reconnects: int
    connection_errors: int
    packets_lost: int
    stream_jumps: int
    fps: float


class Camera(CameraView, Protocol):
    """See hosts.local.sources.Source."""

    @property
    def live(self) -> bool: ...

    @property
    def stats(self) -> Any: ...


class SeenFrame(Protocol):
    """See hosts.local.frame.Frame."""

    camera: str
    time_ns: int
    track_ids: Int64s
    embedding_of: Int64s
    due: Any


class Monitor:
    """Told of a run by its host. This one listens to nothing: for runs that nobody watches."""

    def begin(
        self,
        cameras: Sequence[Camera],
        plugins: Mapping[str, Plugin],
        outputs: Iterable[object],
        seconds: Mapping[str, float],
    ) -> None:
        """Frames come from now on. plugins: by element. outputs: sinks; those with `figures() -> Mapping[str, float]`
        are asked for them, from another thread. seconds: spent so far by stage, of stages that `passed` is not told of.
        """

    def passed(self, element: str, frames: Sequence[SeenFrame], seconds: float) -> None:
        """An element has worked on a batch; from any thread."""

    def happened(self, element: str, events: Sequence[IdentityEvent]) -> None:
        """Identity events of an element."""

    def decided(self, frames: Sequence[SeenFrame]) -> None:
        """A batch has been handed to all sinks."""

    def end(self) -> None:
        """No batch will come any more."""


class MeteringMonitor(Monitor):
    """Counts into meters, and tells health of batches. clock: wall time in ns, the one that stamps live frames; it may
    count in `steps` how often it was set."""

    def __init__(self, meters: Meters, health: Health, clock: Callable[[], int] = time.time_ns) -> None:
        self._meters, self._health, self._clock = meters, health, clock
        self._cameras: Sequence[Camera] = ()
        self._live: frozenset[str] = frozenset()
        self._plugins: Mapping[str, Plugin] = {}
        self._outputs: Mapping[str, Callable[[], Mapping[str, float]]] = {}
        self._broken: set[str] = set()
        self._seconds: Mapping[str, float] = {}
        self._seconds_before: dict[str, float] = {}
        self._passed: set[str] = set()
        self._held_back: Counter[str] = Counter()
        self._published = -PUBLISH_SECONDS

    def begin(
        self,
        cameras: Sequence[Camera],
        plugins: Mapping[str, Plugin],
        outputs: Iterable[object],
        seconds: Mapping[str, float],
    ) -> None:
        self._cameras, self._plugins, self._seconds = tuple(cameras), dict(plugins), seconds
        self._live = frozenset(one.camera for one in cameras if one.live)
        self._outputs = _with_figures(outputs)
        self._health.begin(cameras)

    def passed(self, element: str, frames: Sequence[SeenFrame], seconds: float) -> None:
        self._passed.add(element)
        self._spent(element, seconds)
        plugin = self._plugins.get(element)
        for frame in frames:
            self._meters.add("reid_frames", 1, element, frame.camera)
            self._meters.add("reid_people", len(frame.track_ids), element, frame.camera)
            if plugin is None:
                continue
            if plugin.embedding_model is not None:
                self._meters.add("reid_embeddings", int((frame.embedding_of >= 0).sum()), element, frame.camera)
            else:
                # Held back by this one; what those before it have held back stays so.
                held_back = int((~frame.due).sum())
                self._meters.add("reid_held_back", held_back - self._held_back[frame.camera], element, frame.camera)
                self._held_back[frame.camera] = held_back

    def happened(self, element: str, events: Sequence[IdentityEvent]) -> None:
        for event in events:
            self._meters.add("reid_events", 1, element, event.kind.value)

    def decided(self, frames: Sequence[SeenFrame]) -> None:
        self._held_back.clear()
        now_ns = self._clock()
        for frame in frames:
            if frame.camera in self._live:
                self._meters.observe("reid_latency_seconds", max(0, now_ns - frame.time_ns) * 1e-9, frame.camera)
        self._other_stages()
        if time.monotonic() - self._published >= PUBLISH_SECONDS:
            self._publish()
        self._health.batch()

    def end(self) -> None:
        self._publish()
        self._health.end()

    def refresh(self) -> None:
        """Bring up to date what is told of by nobody: cameras, outputs, health. From the thread that asks."""
        for camera in self._cameras:
            self._camera(camera.camera, camera.connected and not camera.ended, camera.stats)
        for name, figures in self._outputs.items():
            for key, value in self._read(f"output {name}", figures):
                self._meters.set("reid_sink_figure", value, name, key)
        self._meters.set("reid_clock_steps", getattr(self._clock, "steps", 0))
        self._meters.set("reid_healthy", self._health.healthy().ok)
        self._meters.set("reid_ready", self._health.ready().ok)
        self._meters.set("reid_batch_age_seconds", self._health.age_seconds)

    def _camera(self, name: str, connected: bool, stats: Stats) -> None:
        for reason, count in dict(stats.drops).items():  # a copy: the camera's own thread adds to it
            self._meters.set("reid_drops", count, name, reason)
        self._meters.set("reid_decode_errors", stats.decode_errors, name)
        self._meters.set("reid_connection_errors", stats.connection_errors, name)
        self._meters.set("reid_reconnects", stats.reconnects, name)
        self._meters.set("reid_packets_lost", stats.packets_lost, name)
        self._meters.set("reid_stream_jumps", stats.stream_jumps, name)
        self._meters.set("reid_camera_connected", connected, name)
        self._meters.set("reid_camera_fps", stats.fps, name)

    def _read(self, who: str, figures: Callable[[], Mapping[str, float]]) -> list[tuple[str, float]]:
        """Its figures; none where it raises: who cannot say how they are must neither hide the others nor end a run."""
        try:
            found = [(key, float(value)) for key, value in list(figures().items())[:MOST_FIGURES]]
        except Exception as error:
            if who not in self._broken:
                log.warning("%s: its figures cannot be read: %s", who, error)
            self._broken.add(who)
            return []
        return [(key, value) for key, value in found if _FIGURE.fullmatch(key)]

    def _spent(self, element: str, seconds: float) -> None:
        self._meters.add("reid_seconds", seconds, element)
        self._meters.add("reid_batches", 1, element)
        self._meters.observe("reid_batch_seconds", seconds, element)

    def _other_stages(self) -> None:
        """Overlay, encoders, sinks: several times a batch. Those after the sinks are the batch's before this one."""
        for stage, seconds in dict(self._seconds).items():
            if stage not in self._passed:
                before = self._seconds_before.get(stage, 0.0)
                if seconds > before:
                    self._spent(stage, seconds - before)
                self._seconds_before[stage] = seconds

    def _publish(self) -> None:
        self._published = time.monotonic()
        for element, plugin in self._plugins.items():
            for name, value in self._read(f"element {element}", plugin.figures):
                self._meters.set("reid_figure", value, element, name)
            for camera in self._cameras:
                for name, value in self._read(f"element {element}", partial(_of_camera, plugin, camera.camera)):
                    self._meters.set("reid_camera_figure", value, element, camera.camera, name)


def _of_camera(plugin: Plugin, camera: str) -> Mapping[str, float]:
    return plugin.camera_figures().get(camera, {})


def _with_figures(outputs: Iterable[object]) -> dict[str, Callable[[], Mapping[str, float]]]:
    """By name of the output: its attribute `name`, else its class's. Sinks that hold others are opened up."""
    found: dict[str, Callable[[], Mapping[str, float]]] = {}
    for output in outputs:
        inner = getattr(output, "sinks", None)
        if inner is not None:
            found.update(_with_figures(inner))
        figures = getattr(output, "figures", None)
        if callable(figures):
            found[str(getattr(output, "name", type(output).__name__))] = figures
    return found
