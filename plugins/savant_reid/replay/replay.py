"""One replay from recording to report: what `savant-reid replay` does.

The same input gives the same bytes in every file: nothing that is written knows how late it is, how long the replay
took, or where it runs.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from savant_reid.errors import ConfigError, OutputError
from savant_reid.evaluation.scores import read_truth
from savant_reid.identity.constraints import Constraints
from savant_reid.identity.types import Decision
from savant_reid.pyfuncs import shared
from savant_reid.records import FrameRecord, Sink, shared_ids
from savant_reid.replay.batches import EmptyFrames, batched
from savant_reid.replay.frames import Frame, FrameGatherer
from savant_reid.replay.ordering import in_order
from savant_reid.replay.recording import Recording, open_recording
from savant_reid.replay.rows import read_rows
from savant_reid.replay.scan import Scan, scan
from savant_reid.report import write_report
from savant_reid.run_results import identity_metrics, score_run
from savant_reid.sinks.folder_sink import FolderSink
from savant_reid.sinks.frames import FramesSink
from savant_reid.sinks.identities import IdentitiesSink
from savant_reid.sinks.metrics import write_metrics
from savant_reid.sinks.run_folder import METRICS, SIGHTINGS, SITE, TRUTH, Copy, check_inputs, prepare_run_folder
from savant_reid.sinks.tracks import TracksSink
from savant_reid.site import Site, load_site
from savant_reid.site_copy import site_copy
from savant_reid.site_corrections import load_constraints
from savant_reid.site_learned import load_learned
from savant_reid.site_people import load_enrolment


@dataclass(frozen=True)
class ReplayRequest:
    """site: by default the site.yml beside the recording. order: `recorded` takes the rows as they come, `time` sorts
    them, `auto` sorts what is sorted by camera. corrections: a file of what people have decided, to be kept to. begin:
    called with the number of rows when the replay proper begins. stopped: asked before each batch. progress: called
    with the rows done and the time of the stream."""

    recording: Path
    out: Path
    site: Path | None = None
    truth: Path | None = None
    force: bool = False
    order: str = "auto"
    embedding_model: str | None = None
    corrections: Path | None = None
    stopped: Callable[[], bool] = lambda: False
    begin: Callable[[int], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _rows, _time_ns: None


@dataclass
class _Counts:
    frames: Counter[str] = field(default_factory=Counter)  # by camera
    rows: int = 0
    embeddings: int = 0
    shared: int = 0
    person_seconds: float = 0.0
    stopped: bool = False


def replay(request: ReplayRequest) -> dict[str, Any]:
    """Writes a whole run folder but for videos; returns what is in metrics.json. Raises SavantReidError."""
    recording = open_recording(request.recording, request.embedding_model)
    site_file = _site_file(request, recording)
    site = load_site(site_file)
    load_enrolment(site, recording.embedding_model)
    load_learned(site, recording.embedding_model)
    truth = read_truth(request.truth) if request.truth else None
    cameras = list(site.cameras)
    constraints = load_constraints(request.corrections, cameras) if request.corrections else None
    named = [path for path in (request.truth, request.corrections) if path is not None]
    inputs = [request.recording, *recording.paths, site_file, *named]
    copies = _copies(request, site, site_file)
    check_inputs(request.out, cameras, inputs, copies)
    found = scan(recording, cameras, site_file)
    prepare_run_folder(request.out, request.force, copies)
    with in_order(recording, found, request.order, cameras, site_file, request.out) as (ordered, known):
        _link(recording, request.out)
        request.begin(known.rows)
        try:
            metrics = _Replay(request, ordered, known, site, constraints).run()
        finally:
            shared.forget(request.out / SITE)
    if truth is not None and not metrics["stopped_early"]:
        metrics["scores"] = score_run(truth, request.out)
    write_metrics(request.out / METRICS, metrics)
    write_report(request.out)
    return metrics


class _Replay:
    def __init__(
        self, request: ReplayRequest, recording: Recording, known: Scan, site: Site, constraints: Constraints | None
    ) -> None:
        self._request, self._recording, self._known, self._site = request, recording, known, site
        self._cameras = list(site.cameras)
        # The resolver that a run with this site file would have, and a new one.
        shared.forget(request.out / SITE)
        self._resolver = shared.resolver_for(request.out / SITE, constraints)
        self._refused: Counter[str] = Counter()
        self._empty = EmptyFrames(known.gaps, self._cameras, known.sizes, recording.dimension)
        self._counts = _Counts()

    def run(self) -> dict[str, Any]:
        with closing(_open_sinks(self._request.out, self._site.site)) as sink:
            for batch in self._batches():
                if self._request.stopped():
                    self._counts.stopped = True
                    break
                self._take(batch, sink)
        return self._metrics()

    def _batches(self) -> Iterator[list[Frame]]:
        index = {name: i for i, name in enumerate(self._cameras)}
        gatherer = FrameGatherer(self._cameras, self._known.sizes, self._refused)
        frames = gatherer.gather(read_rows(self._recording, index, self._refused))
        return batched(self._empty.woven(frames))

    def _take(self, batch: Sequence[Frame], sink: Sink) -> None:
        decisions = self._resolver.resolve([frame.sightings for frame in batch])
        sink.write_events(self._resolver.take_events())
        start = 0
        for frame in batch:
            end = start + len(frame.sightings)
            if frame.is_recorded:
                sink.write_frame(FrameRecord(frame.index, frame.sightings, decisions[start:end]))
                self._count(frame, decisions[start:end])
            start = end
        self._request.progress(self._counts.rows, batch[-1].time_ns)

    def _count(self, frame: Frame, decisions: Sequence[Decision]) -> None:
        counts = self._counts
        counts.frames[frame.sightings.camera] += 1
        counts.rows += len(decisions)
        counts.shared += shared_ids(decisions)
        counts.embeddings += int((frame.sightings.embedding_of >= 0).sum())
        counts.person_seconds += len(decisions) / (self._known.gaps.frames_per_second(frame.camera) or 1.0)

    def _metrics(self) -> dict[str, Any]:
        """As of a run, without what differs from one time to the next."""
        counts, known = self._counts, self._known
        return {
            "site": self._site.site,
            "recording": {
                "rows": known.rows,
                "refused_rows": dict(sorted(self._refused.items())),
                "empty_frames": self._empty.count,
                "gaps_left_out": known.gaps.left_out,
                "clock_steps_back": dict(zip(self._cameras, known.steps_back.tolist(), strict=True)),
            },
            "embedding_model": self._recording.embedding_model,
            "stopped_early": counts.stopped,
            "video_seconds": known.video_seconds,
            "frames": counts.frames.total(),
            "people_frames": counts.rows,
            "cameras": {
                name: {
                    "frames": counts.frames[name],
                    "width": known.sizes[i][0],
                    "height": known.sizes[i][1],
                    "fps": known.gaps.frames_per_second(i),
                }
                for i, name in enumerate(self._cameras)
                if known.counts[i]
            },
            "identity": identity_metrics(self._resolver, counts.embeddings, counts.person_seconds, counts.shared),
            "scores": None,
        }


def _site_file(request: ReplayRequest, recording: Recording) -> Path:
    if request.site is not None:
        return request.site
    for folder in (request.recording, request.recording.parent):  # a run folder, or what lies in one
        if (folder / SITE).is_file():
            return folder / SITE
    raise ConfigError(f"expected --site FILE or a {SITE} beside {recording.name}, found neither")


def _copies(request: ReplayRequest, site: Site, site_file: Path) -> list[Copy]:
    text = site_copy(site, site_file.parent, request.out)
    copies = [Copy(SITE, lambda: text, site_file)]
    return copies if request.truth is None else [*copies, Copy(TRUTH, request.truth.read_bytes, request.truth)]


def _open_sinks(out: Path, site: str) -> FolderSink:
    return FolderSink([FramesSink(out, site), IdentitiesSink(out, site), TracksSink(out)])


def _link(recording: Recording, out: Path) -> None:
    """The recording as this folder's sightings.parquet, so that the folder is whole and can be replayed itself.

    A second name for the same file: a recording may be larger than what is free, and its rows are the same by
    definition. Writers here replace files and never change them, so that one name cannot spoil the other. Where the
    folder lies on another file system, a copy.
    """
    target = out / SIGHTINGS
    try:
        if len(recording.paths) == 1 and recording.paths[0].name != "part-00001.parquet":
            _link_file(recording.paths[0], target)
            return
        target.mkdir()
        for path in recording.paths:
            _link_file(path, target / path.name)
    except OSError as error:
        # Half a file could not be read, and some of the parts would pass for all of them.
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error


def _link_file(source: Path, target: Path) -> None:
    original = source.resolve()
    try:
        os.link(original, target)
    except OSError:
        shutil.copyfile(original, target)
