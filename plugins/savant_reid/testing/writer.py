"""A recording as files: sightings.parquet, truth.csv and site.yml, as the command line reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from savant_reid.errors import OutputError
from savant_reid.records import FrameRecord
from savant_reid.site import Camera, Site, Transition, site_document
from savant_reid.testing.recording import Moment, Recording, TruthFrame

HEADER = "camera,frame,track_id,global_id,left,top,width,height,confidence,time_ns"


class Files(NamedTuple):
    """What was written."""

    sightings: Path
    truth: Path
    site: Path


def write_recording(recording: Recording, folder: Path, progress: Callable[[Moment], None] | None = None) -> Files:
    """Write all three files as the recording goes on; memory does not grow with its length.

    progress: called with each moment written. Raises OutputError where a file cannot be written or is there already.
    """
    from savant_reid.sinks.run_folder import SIGHTINGS, SITE, TRUTH
    from savant_reid.sinks.sightings import SightingsSink  # brings pyarrow, which only writing needs

    files = Files(folder / SIGHTINGS, folder / TRUTH, folder / SITE)
    for path in files:
        if path.exists():
            raise OutputError(f"{path}: expected a folder without a recording, found one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.site.write_text(site_document(site_of(recording)), encoding="utf-8")
        sink = SightingsSink(folder, recording.settings.embedding_model)
        with files.truth.open("w", encoding="utf-8", newline="") as truth:
            truth.write(HEADER + "\n")
            for moment in recording.moments():
                for sightings in moment.sightings:
                    sink.write_frame(FrameRecord(moment.frame, sightings, ()))
                truth.writelines(line for frame in moment.truth for line in _lines(frame))
                if progress:
                    progress(moment)
        sink.close()
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return files


def site_of(recording: Recording) -> Site:
    """The site as its owner declares it."""
    plan = recording.floor.plan_m.tolist()
    cameras = {name: Camera(plan=(x, y)) for name, (x, y) in zip(recording.cameras, plan, strict=True)}
    transitions = [
        Transition.model_validate({"from": start, "to": end, "seconds": seconds, "both_ways": True})
        for (start, end), seconds in recording.windows.items()
        if start < end
    ]
    return Site(site="simulated", cameras=cameras, transitions=transitions, overlaps=list(recording.overlaps))


def _lines(frame: TruthFrame) -> list[str]:
    return [
        f"{frame.camera},{frame.frame},,{person},{left:.2f},{top:.2f},{width:.2f},{height:.2f},1,{frame.time_ns}\n"
        for person, (left, top, width, height) in zip(frame.persons.tolist(), frame.boxes.tolist(), strict=True)
    ]
