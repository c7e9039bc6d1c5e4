"""The local host: cameras in, a run folder out."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
from savant_reid.interrupts import stop_on_signal
from savant_reid.monitoring.monitor import Monitor
from savant_reid.records import FrameRecord, Sink, StreamSink

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
        counts: Counter[str] = Counter()
        written: Counter[str] = Counter()
        times: list[int] = []
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            batcher.stop()

        with stop_on_signal(stop, log.warning):
            begin, cpu_begin = time.perf_counter(), time.process_time()
            # Closed on the way out, before the sinks: an error here must not leave its thread waiting for frames.
            for frames, events in stack.enter_context(closing(pipeline.run(batcher, batcher.stop))):
                with pipeline.watch.measure("sinks"):
                    sink.write_events(events)
                    for frame in frames:
                        sink.write_frame(FrameRecord(frame.index, frame.sightings(), frame.decisions))
                    written.update(frame.camera for frame in frames)
                    _end_sources(run.sources, written, sink)
                run.monitor.decided(frames)
                _count(frames, counts)
                times = [min(times[:1] + [f.time_ns for f in frames]), max(times[1:] + [f.time_ns for f in frames])]
                if outputs is not None:
                    outputs.write(frames)
                run.progress(frames)
            run.monitor.end()
            with pipeline.watch.measure("sinks"):
                sink.close()
            if outputs is not None:
                outputs.close()
            wall, cpu = time.perf_counter() - begin, time.process_time() - cpu_begin
        stages = {"decode": {"seconds": batcher.decode_wait_seconds}, **pipeline.stage_seconds()}
        return HostResult(
            wall_seconds=wall,
            cpu_seconds=cpu,
            video_seconds=(times[1] - times[0]) * 1e-9 if times else 0.0,
            frames=counts["frames"],
            people_frames=counts["people"],
            shared_ids_in_frame=counts["shared"],
            stages=stages,
            cameras={source.camera: _camera(source) for source in run.sources},
            embedding_model=model,
            stopped=stopped.is_set(),
            rtsp=rtsp.metrics() if rtsp is not None else None,
        )


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


def _count(frames: Sequence[Frame], counts: Counter[str]) -> None:
    for frame in frames:
        named = [decision.global_id for decision in frame.decisions if decision.global_id >= 0]
        counts["frames"] += 1
        counts["people"] += len(frame.track_ids)
        counts["shared"] += len(named) - len(set(named))


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
