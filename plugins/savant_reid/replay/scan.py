"""One light pass over a recording before anything is written: what must be known before the first row is replayed.

Which cameras there are and whether the site knows them; whether the rows are in recording order; where frames without
people lay; how large each camera's picture is. Reads no embeddings; holds a few numbers per camera and per gap.

Order. A recording is in the order in which its frames came, and the core wants it so: a camera whose clock is wrong by
an hour is its business. A file sorted by camera looks as wild to the eye - times step back where the next camera
begins - but there every camera's rows lie in one block and ascend, and the blocks cover the same time. Cameras that
record side by side alternate, whatever their clocks say; so that is the sign. (Left over: a recording in which one
camera had people only before, and the other only after, with clocks that overlap: nothing tells it from a sorted
file. `--order` decides then.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from savant_reid.errors import ConfigError
from savant_reid.replay.columns import IDS, Int64s, boxes, camera_indices, integers, whole_boxes
from savant_reid.replay.frame_size import SizeEstimate
from savant_reid.replay.gaps import Gaps
from savant_reid.replay.recording import Recording

SCAN_ROWS = 65_536
COLUMNS = ("camera", *IDS, "left", "top", "width", "height")
# As identity.site_clock: further apart than this, clocks disagree. Compared with the frames just before.
_LEAP_NS = 10_000_000_000
_FRAMES_BEFORE = 64


@dataclass
class Scan:
    """rows: of all cameras. blocks: runs of rows of one camera. steps_back: by camera, how often its time went back.

    sizes: by camera index, (width, height) in pixels.
    """

    rows: int = 0
    blocks: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    is_ascending: bool = True
    counts: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    steps_back: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    gaps: Gaps = field(default_factory=Gaps)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_sorted_by_camera(self) -> bool:
        """Every camera's rows in one ascending block, and the blocks go back in time."""
        present = int((self.counts > 0).sum())
        return 1 < present == self.blocks and not self.steps_back.any() and not self.is_ascending

    @property
    def video_seconds(self) -> float:
        return ((self.last_ns or 0) - (self.first_ns or 0)) * 1e-9


def scan(recording: Recording, cameras: Sequence[str], site: object) -> Scan:
    """cameras: the site's. Raises ConfigError for cameras that the site does not know, DataError for broken columns."""
    return _Scanner(recording, cameras, site).scan()


class _Scanner:
    def __init__(self, recording: Recording, cameras: Sequence[str], site: object) -> None:
        self._recording, self._cameras, self._site = recording, cameras, site
        self._index = {name: i for i, name in enumerate(cameras)}
        n = len(cameras)
        self._found = Scan(counts=np.zeros(n, np.int64), steps_back=np.zeros(n, np.int64))
        self._estimate = SizeEstimate(n)
        self._unknown: set[str] = set()
        self._last = -1, -1  # camera and frame of the last row
        self._recent_ns = np.zeros(0, np.int64)
        self._troubles = 0

    def scan(self) -> Scan:
        for batch in self._recording.batches(COLUMNS, SCAN_ROWS):
            self._take(batch)
        if self._unknown:
            raise ConfigError(
                f"{self._site}: cameras: expected {', '.join(sorted(self._unknown))} among them, as "
                f"{self._recording.name} has sightings from there; found {', '.join(self._cameras)}"
            )
        found, known = self._found, self._recording.cameras
        found.gaps.close(self._named(known), found.first_ns, found.last_ns, in_step=not self._troubles)
        found.sizes = self._estimate.sizes(self._named(known))
        return found

    def _take(self, batch: pa.RecordBatch) -> None:
        camera = camera_indices(batch, self._index, self._recording.name)
        if (camera < 0).any():
            named = set(batch.column("camera").to_pylist())
            self._unknown |= named - set(self._index)
        frame, time_ns, _ = (integers(batch, column, self._recording.name) for column in IDS)
        if self._unknown or not len(camera):
            return
        troubles = self._order(camera, frame, time_ns)
        for at in np.unique(camera).tolist():
            rows = np.flatnonzero(camera == at)
            back = self._found.gaps.note(at, frame[rows], time_ns[rows], troubles[rows])
            self._found.steps_back[at] += back
            self._found.counts[at] += len(rows)
        found = boxes(batch)
        whole = whole_boxes(found)
        self._estimate.add(camera[whole], found[whole])
        self._found.rows += len(camera)

    def _order(self, camera: Int64s, frame: Int64s, time_ns: Int64s) -> Int64s:
        """(n,) how many frames so far came while clocks disagreed."""
        found = self._found
        begins = (np.diff(camera, prepend=self._last[0]) != 0) | (np.diff(frame, prepend=self._last[1]) != 0)
        found.blocks += int((np.diff(camera, prepend=self._last[0]) != 0).sum())
        self._last = int(camera[-1]), int(frame[-1])
        times = np.concatenate([self._recent_ns, time_ns[begins]])
        found.is_ascending &= not (np.diff(times) < 0).any()
        padded = np.concatenate([np.repeat(times[:1], _FRAMES_BEFORE - 1), times])
        latest = np.lib.stride_tricks.sliding_window_view(padded, _FRAMES_BEFORE).max(axis=1)
        apart = (times < latest - _LEAP_NS)[len(self._recent_ns) :]
        self._recent_ns = times[-_FRAMES_BEFORE:]
        troubles = np.zeros(len(camera), np.int64)
        troubles[begins] = apart
        troubles = np.cumsum(troubles) + self._troubles
        self._troubles = int(troubles[-1])
        low, high = int(time_ns.min()), int(time_ns.max())
        found.first_ns = low if found.first_ns is None else min(found.first_ns, low)
        found.last_ns = high if found.last_ns is None else max(found.last_ns, high)
        return troubles

    def _at(self, name: str) -> int:
        return self._index.get(name, -1)

    def _named(self, known: Mapping[str, Mapping[str, int]]) -> dict[int, Mapping[str, int]]:
        return {self._at(name): one for name, one in known.items() if self._at(name) >= 0}
