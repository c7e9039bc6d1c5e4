"""One calibration from recording to files: what `savant-reid calibrate` does."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from savant_reid.calibration.files import check_target_file, write_calibration
from savant_reid.calibration.gathering import Gathered, Gathering
from savant_reid.calibration.result import Calibration, Json, Source, calibration_of, check_target
from savant_reid.errors import ConfigError, DataError, OutputError
from savant_reid.identity.policy import Policy
from savant_reid.replay.batches import EmptyFrames, batched
from savant_reid.replay.frames import Frame, FrameGatherer
from savant_reid.replay.ordering import in_order
from savant_reid.replay.recording import Recording, open_recording
from savant_reid.replay.rows import read_rows
from savant_reid.replay.scan import Scan, scan
from savant_reid.sinks.run_folder import SITE
from savant_reid.site import Site, load_site


@dataclass(frozen=True)
class CalibrationRequest:
    """site: by default the site.yml beside the recording. order, embedding_model: as in ReplayRequest. seed: of what
    is kept where there is more than can be compared. begin: called with the number of rows; progress: with those
    done."""

    recording: Path
    out: Path
    target_fpir: float = 0.01
    site: Path | None = None
    order: str = "auto"
    embedding_model: str | None = None
    seed: int = 0
    begin: Callable[[int], None] = lambda _: None
    progress: Callable[[int], None] = lambda _: None


def calibrate(request: CalibrationRequest) -> tuple[Calibration, Json]:
    """Writes both files; returns the calibration and what is in the JSON. Raises SavantReidError."""
    check_target(request.target_fpir)
    check_target_file(request.out)
    recording = open_recording(request.recording, request.embedding_model)
    site_file = _site_file(request, recording)
    site = load_site(site_file)
    cameras = list(site.cameras)
    found = scan(recording, cameras, site_file)
    if not recording.dimension:
        raise DataError(
            f"{recording.name}: embedding: expected embeddings to learn from, found none in {found.rows} rows"
        )
    with (
        _working_folder(request.out) as folder,
        in_order(recording, found, request.order, cameras, site_file, Path(folder)) as (ordered, known),
    ):
        request.begin(known.rows)
        gathered = _gather(request, ordered, known, site)
    source = Source(
        request.recording.resolve().name, recording.embedding_model, found.first_ns, found.last_ns, found.rows
    )
    calibration = calibration_of(gathered, site.topology(), source, request.target_fpir, request.seed)
    return calibration, write_calibration(calibration, request.out)


def _gather(request: CalibrationRequest, recording: Recording, known: Scan, site: Site) -> Gathered:
    """The engine learns as in an open set, whatever the site's policy."""
    gathering = Gathering(site.topology(), Policy(retention_s=site.identity.retention), request.seed)
    rows = 0
    for batch in _batches(recording, known, list(site.cameras)):
        gathering.take([frame.sightings for frame in batch])
        rows += sum(len(frame.sightings) for frame in batch)
        request.progress(rows)
    return gathering.finish()


def _batches(recording: Recording, known: Scan, cameras: list[str]) -> Iterator[list[Frame]]:
    """As replay has them."""
    refused: Counter[str] = Counter()
    index = {name: i for i, name in enumerate(cameras)}
    frames = FrameGatherer(cameras, known.sizes, refused).gather(read_rows(recording, index, refused))
    return batched(EmptyFrames(known.gaps, cameras, known.sizes, recording.dimension).woven(frames))


def _working_folder(out: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder beside the output, whose folder is made if need be. Raises OutputError."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".calibrating-", dir=out.parent)
    except OSError as error:
        raise OutputError(f"--out {out}: nothing can be written there: {error.strerror or error}") from error


def _site_file(request: CalibrationRequest, recording: Recording) -> Path:
    if request.site is not None:
        return request.site
    for folder in (request.recording, request.recording.parent):
        if (folder / SITE).is_file():
            return folder / SITE
    raise ConfigError(f"expected --site FILE or a {SITE} beside {recording.name}, found neither")
