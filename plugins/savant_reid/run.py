"""One run from sources to report: what `savant-reid run` and `savant-reid demo` do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from savant_reid.camera_names import check_camera_names
from savant_reid.evaluation.scores import read_truth
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.host import HostResult, HostRun, run_host
from savant_reid.hosts.local.module_config import Module, load_module
from savant_reid.hosts.local.rtsp_server import RtspRequest
from savant_reid.hosts.local.sources import CameraStats, open_sources
from savant_reid.hosts.local.wall_clock import WallClock
from savant_reid.monitoring.monitor import Monitor
from savant_reid.monitoring.watch import MetricsRequest, Watch
from savant_reid.process_memory import peak_mib
from savant_reid.pyfuncs import shared
from savant_reid.report import write_report
from savant_reid.run_inputs import SITE_KEY, choose_site
from savant_reid.run_results import identity_metrics, score_run
from savant_reid.sinks.folder_sink import open_run_sinks
from savant_reid.sinks.frames import FrameLines
from savant_reid.sinks.metrics import write_metrics
from savant_reid.sinks.outputs import OUTPUTS, Outputs
from savant_reid.sinks.run_folder import METRICS, SITE, check_inputs, prepare_run_folder
from savant_reid.site import Site
from savant_reid.site_learned import load_learned
from savant_reid.site_people import load_enrolment


@dataclass(frozen=True)
class RunRequest:
    """sources: (camera, uri) pairs; none takes those of the site file. site: the site file; by default that of the
    module (see run_inputs.choose_site). truth: to score the result against.
    outputs: where metadata goes besides the folder.
    metrics: where to serve metrics and health while the run lasts. rtsp: where to serve the overlays, to whom.
    videos: write the overlays as files."""

    module: Path
    out: Path
    sources: Sequence[tuple[str, str]] = ()
    site: Path | None = None
    truth: Path | None = None
    force: bool = False
    rtsp: RtspRequest | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[Sequence[Frame]], None] = lambda _: None
    outputs: Outputs = field(default_factory=Outputs)
    metrics: MetricsRequest | None = None
    videos: bool = True


def run(request: RunRequest) -> dict[str, Any]:
    """Runs a module and writes its whole run folder; returns what is in metrics.json. Raises SavantReidError."""
    module = load_module(request.module, request.overrides)
    chosen = choose_site(module, request.overrides, request.site, [camera for camera, _ in request.sources])
    pairs = chosen.pairs(request.sources)
    check_camera_names(camera for camera, _ in pairs)
    truth = read_truth(request.truth) if request.truth else None
    copies = chosen.copies(request.out, request.truth)
    check_inputs(request.out, [camera for camera, _ in pairs], chosen.files(pairs, request.truth), copies)
    site, site_copy = chosen.site, request.out / SITE
    # As JSON, which is YAML: a path may hold what means something to YAML.
    site_value = json.dumps(str(site_copy.resolve()), ensure_ascii=False)
    module = load_module(request.module, {**request.overrides, SITE_KEY: site_value})
    started = datetime.now(timezone.utc)
    shared.forget(site_copy)
    lines = FrameLines(site.site)
    clock = WallClock()
    sources = open_sources(pairs, realtime=request.rtsp is not None, clock=clock)
    stats = {source.camera: source.stats for source in sources}
    with ExitStack() as stack:
        stack.callback(shared.forget, site_copy)
        # Here, before anything is written: an address that cannot be used must not cost the run that is there.
        found = request.outputs.open(lines, request.out, _rate_of(stats))
        published = {name: stack.enter_context(closing(sink)) for name, sink in found}
        watch = stack.enter_context(closing(Watch(request.metrics, clock))) if request.metrics else None
        host_run = HostRun(
            module=module,
            sources=sources,
            out=request.out,
            prepare=lambda: prepare_run_folder(request.out, request.force, copies),
            sinks=lambda model: open_run_sinks(
                request.out, site.site, model, lines=lines, more=list(published.values())
            ),
            accept=lambda model: (load_enrolment(site, model), load_learned(site, model)),
            rtsp=request.rtsp,
            videos=request.videos,
            progress=request.progress,
            monitor=watch.monitor if watch else Monitor(),
        )
        result = run_host(host_run)
        metrics = _metrics(result, site, module, started, shared.resolver_for(site_copy))
    for name in OUTPUTS:
        metrics[name] = published[name].metrics() if name in published else None
    if truth is not None and not result.stopped:
        metrics["scores"] = score_run(truth, request.out)
    write_metrics(request.out / METRICS, metrics)
    write_report(request.out)
    return metrics


def _rate_of(stats: Mapping[str, CameraStats]) -> Callable[[str], float]:
    return lambda camera: stats[camera].fps or DEFAULT_FPS


def _metrics(result: HostResult, site: Site, module: Module, started: datetime, resolver: Any) -> dict[str, Any]:
    stages = result.stages
    fps = result.frames / max(1, len(result.cameras)) / result.video_seconds if result.video_seconds else 0.0
    person_seconds = result.people_frames / fps if fps else 0.0
    embeddings = int(stages.get("embedder", {}).get("embeddings", 0))
    return {
        "site": site.site,
        "module": module.name,
        "embedding_model": result.embedding_model,
        "started_at": started.isoformat(timespec="seconds"),
        "stopped_early": result.stopped,
        "wall_seconds": result.wall_seconds,
        "cpu_seconds": result.cpu_seconds,
        "video_seconds": result.video_seconds,
        "frames": result.frames,
        "frames_per_second": result.frames / result.wall_seconds if result.wall_seconds else 0.0,
        "stages": stages,
        "outside_share": _outside_share(result),
        "cameras": result.cameras,
        "rtsp": result.rtsp,
        "identity": identity_metrics(resolver, embeddings, person_seconds, result.shared_ids_in_frame),
        "scores": None,
        "peak_memory_mb": peak_mib(),
    }


def _outside_share(result: HostResult) -> float:
    """Share of the run's work (CPU time of all threads) that was not model inference, decoding or encoding.

    By CPU time and not by the wall: stages overlap, and wait for one another and for the interpreter.
    """
    outside = sum(
        stage["cpu_seconds"] - stage.get("inference_cpu_seconds", 0.0)
        for name, stage in result.stages.items()
        if name not in ("decode", "encode")
    )
    return max(0.0, outside) / result.cpu_seconds if result.cpu_seconds else 0.0
