"""Frames to batches, with the frames without people put back."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from savant_reid.replay.frames import Frame, nobody
from savant_reid.replay.gaps import Gap, Gaps

# The batched push timeout of the module: what a live host waits for the other cameras' frames.
TOGETHER_NS = 40_000_000


def batched(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Frames that follow each other and belong together, as the host would have batched them.

    A batch ends before a frame of a camera that it has already, and before one more than 40 ms away from its first.
    """
    batch: list[Frame] = []
    cameras: set[int] = set()
    for frame in frames:
        if batch and (frame.camera in cameras or abs(frame.time_ns - batch[0].time_ns) > TOGETHER_NS):
            yield batch
            batch, cameras = [], set()
        batch.append(frame)
        cameras.add(frame.camera)
    if batch:
        yield batch


class EmptyFrames:
    """Puts frames without people back between the recorded ones, in the order of time, camera by camera."""

    def __init__(self, gaps: Gaps, cameras: Sequence[str], sizes: Sequence[tuple[int, int]], dimension: int) -> None:
        self._gaps, self._cameras, self._sizes, self._dimension = gaps, cameras, sizes, dimension
        # The next empty frame of each camera that is in a gap: (time, camera, frame, gap).
        self._due: list[tuple[int, int, int, Gap]] = []
        self.count = 0

    def woven(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The recorded frames, in their order, and the empty ones between them."""
        for camera, gap in self._gaps.before.items():
            self._begin(camera, gap)
        for frame in frames:
            yield from self._until(frame.time_ns, frame.camera)
            yield from self._rest_of(frame.camera)
            yield frame
            gap_after = self._gaps.after(frame.camera, frame.index, frame.time_ns)
            if gap_after is not None:
                self._begin(frame.camera, gap_after)
        while self._due:
            yield self._next()

    def _begin(self, camera: int, gap: Gap) -> None:
        if gap.start < gap.stop:
            heapq.heappush(self._due, (gap.at(gap.start), camera, gap.start, gap))

    def _until(self, time_ns: int, camera: int) -> Iterator[Frame]:
        while self._due and self._due[0][:2] < (time_ns, camera):
            yield self._next()

    def _rest_of(self, camera: int) -> Iterator[Frame]:
        """A camera's own frame ends its gap, wherever the others have got to."""
        rest = [one for one in self._due if one[1] == camera]
        if not rest:
            return
        self._due = [one for one in self._due if one[1] != camera]
        heapq.heapify(self._due)
        for _, _, start, gap in rest:
            for frame in range(start, gap.stop):
                yield self._frame(camera, frame, gap)

    def _next(self) -> Frame:
        _, camera, frame, gap = self._due[0]
        if frame + 1 < gap.stop:
            heapq.heapreplace(self._due, (gap.at(frame + 1), camera, frame + 1, gap))
        else:
            heapq.heappop(self._due)
        return self._frame(camera, frame, gap)

    def _frame(self, camera: int, frame: int, gap: Gap) -> Frame:
        self.count += 1
        sightings = nobody(self._cameras[camera], gap.at(frame), self._sizes[camera], self._dimension)
        return Frame(camera, frame, sightings, is_recorded=False)
