"""The local host: cameras in, a run folder out."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from savant_reid.camera_names import MOSAIC_MOUNT
from savant_reid.errors import ConfigError
from savant_reid.hosts.local.batcher import Batcher
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.module_config import Module
from savant_reid.hosts.local.overlay_outputs import OverlayOutputs
from savant_reid.hosts.local.pipeline import Pipeline, load_draw_func
from savant_reid.hosts.local.rtsp_server import RtspRequest, RtspServer
from savant_reid.hosts.local.sources import Source
from savant_reid.identity.types import IdentityEvent
from savant_reid.interrupts import stop_on_signal
from savant_reid.monitoring.monitor import Monitor
from savant_reid.records import FrameRecord, Sink, StreamSink, shared_ids

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostRun:
    """What to run.

    accept: called with the name of the embedding model, before anything is written; raises to refuse it.
    prepare: called once everything that can be refused has been tried (sources, models, ports), before anything is
    written. sinks: makes the sinks, given the name of the embedding model. progress: called with each finished batch.
    rtsp: where to serve the overlays. videos: write them. monitor: told how it goes; see monitoring.monitor.
    """

    module: Module
    sources: Sequence[Source]
    out: Path
    prepare: Callable[[], None]
    sinks: Callable[[str], Sink]
    accept: Callable[[str], object] = lambda _: None
    rtsp: RtspRequest | None = None
    videos: bool = True
    progress: Callable[[Sequence[Frame]], None] = lambda _: None
    monitor: Monitor = field(default_factory=Monitor)


@dataclass
class HostResult:
    """What a run did: plain figures for metrics.json. cpu_seconds: of all threads, decoders and encoders included."""

    wall_seconds: float
    cpu_seconds: float
    video_seconds: float
    frames: int
    people_frames: int
    shared_ids_in_frame: int
    stages: dict[str, dict[str, float]]
    cameras: dict[str, dict[str, Any]]
    embedding_model: str
    stopped: bool
    rtsp: dict[str, Any] | None = None


def run_host(run: HostRun) -> HostResult:
    """Runs until all files have ended, or a signal comes. Raises SavantReidError; outputs are closed in any case."""
    batcher = _batcher(run)
    for key in run.module.ignored_on_local_host:
        log.debug("%s: %s has an effect on DeepStream only", run.module.path, key)
    with ExitStack() as stack:
        stack.callback(batcher.close)
        batcher.start()
        pipeline = Pipeline(run.module, {s.camera: s.stats.fps for s in run.sources if s.stats.fps > 0}, run.monitor)
        if pipeline.embedder is None:
            raise ConfigError(f"{run.module.path}: pipeline.elements: expected an nvinfer@attribute_model, found none")
        rtsp = _rtsp_server(run, stack)
        model = f"{pipeline.embedder.name} sha256:{pipeline.embedder.sha256}"
        run.accept(model)
        run.prepare()
        outputs = _outputs(run, pipeline, rtsp, stack)
        sink = run.sinks(model)
        stack.callback(sink.close)
        run.monitor.begin(run.sources, pipeline.elements(), [sink, rtsp], pipeline.watch.seconds)
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            batcher.stop()

        with stop_on_signal(stop, log.warning):
            begin, cpu_begin = time.perf_counter(), time.process_time()
            # Closed on the way out, before the sinks: an error here must not leave its thread waiting for frames.
            batches = stack.enter_context(closing(pipeline.run(batcher, batcher.stop)))
            tally = _write_all(run, pipeline, batches, sink, outputs)
            wall, cpu = time.perf_counter() - begin, time.process_time() - cpu_begin
        return HostResult(
            wall_seconds=wall,
            cpu_seconds=cpu,
            video_seconds=tally.video_seconds,
            frames=tally.frames.total(),
            people_frames=tally.people,
            shared_ids_in_frame=tally.shared_ids,
            stages={"decode": {"seconds": batcher.decode_wait_seconds}, **pipeline.stage_seconds()},
            cameras={source.camera: _camera(source) for source in run.sources},
            embedding_model=model,
            stopped=stopped.is_set(),
            rtsp=rtsp.metrics() if rtsp is not None else None,
        )


class _Tally:
    """What has been written.

    frames: by camera. people: rows of all frames. shared_ids: see records.shared_ids.
    """

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.people = 0
        self.shared_ids = 0
        self._span_ns: tuple[int, int] | None = None

    def add(self, frames: Sequence[Frame]) -> None:
        """Finished frames of any cameras."""
        for frame in frames:
            self.frames[frame.camera] += 1
            self.people += len(frame.track_ids)
            self.shared_ids += shared_ids(frame.decisions)
            first_ns, last_ns = self._span_ns or (frame.time_ns, frame.time_ns)
            self._span_ns = min(first_ns, frame.time_ns), max(last_ns, frame.time_ns)

    @property
    def video_seconds(self) -> float:
        """From the first frame to the last."""
        first_ns, last_ns = self._span_ns or (0, 0)
        return (last_ns - first_ns) * 1e-9


def _write_all(
    run: HostRun,
    pipeline: Pipeline,
    batches: Iterable[tuple[list[Frame], list[IdentityEvent]]],
    sink: Sink,
    outputs: OverlayOutputs | None,
) -> _Tally:
    """Everything that comes goes to the sinks and the overlays, which are closed when nothing comes any more."""
    tally = _Tally()
    for frames, events in batches:
        with pipeline.watch.measure("sinks"):
            sink.write_events(events)
            for frame in frames:
                sink.write_frame(FrameRecord(frame.index, frame.sightings(), frame.decisions))
            tally.add(frames)
            _end_sources(run.sources, tally.frames, sink)
        run.monitor.decided(frames)
        if outputs is not None:
            outputs.write(frames)
        run.progress(frames)
    run.monitor.end()
    with pipeline.watch.measure("sinks"):
        sink.close()
    if outputs is not None:
        outputs.close()
    return tally


def _batcher(run: HostRun) -> Batcher:
    module = run.module
    return Batcher(run.sources, batch_size=module.batch_size, batched_push_timeout_us=module.batched_push_timeout_us)


def _rtsp_server(run: HostRun, stack: ExitStack) -> RtspServer | None:
    """A running server for the overlays, if asked for. Raises OutputError when the port is taken."""
    if run.rtsp is None:
        return None
    if run.module.draw_func is None:
        raise ConfigError(f"{run.module.path}: parameters.draw_func: expected one to serve over RTSP, found none")
    mounts = [*(source.camera for source in run.sources), MOSAIC_MOUNT]
    fps = max(source.stats.fps for source in run.sources) or DEFAULT_FPS
    rtsp = RtspServer(run.rtsp.port, mounts, host=run.rtsp.host, fps=fps, logins=run.rtsp.logins)
    stack.callback(rtsp.stop)
    for mount in mounts:
        log.info("watch %s", rtsp.url(mount))
    return rtsp


def _outputs(run: HostRun, pipeline: Pipeline, rtsp: RtspServer | None, stack: ExitStack) -> OverlayOutputs | None:
    """Videos and RTSP, where the module draws."""
    draw_func = load_draw_func(run.module.draw_func)
    if draw_func is None:
        return None
    stats = {source.camera: source.stats for source in run.sources}
    outputs = OverlayOutputs(run.out, draw_func, stats, pipeline.watch, rtsp, videos=run.videos)
    stack.callback(outputs.close)
    return outputs


def _end_sources(sources: Sequence[Source], written: Mapping[str, int], sink: Sink) -> None:
    """Tells of those whose last frame has been written; frames of others may still be on their way."""
    if isinstance(sink, StreamSink):
        for source in sources:
            if source.ended and written[source.camera] == source.stats.frames:
                sink.end_source(source.camera)


def _camera(source: Source) -> dict[str, Any]:
    stats = source.stats
    return {
        "frames": stats.frames,
        "width": stats.width,
        "height": stats.height,
        "fps": stats.fps,
        "drops": dict(stats.drops),
        "decode_errors": stats.decode_errors,
        "reconnects": stats.reconnects,
        "connection_errors": stats.connection_errors,
        "packets_lost": stats.packets_lost,
        "stream_jumps": stats.stream_jumps,
    }
