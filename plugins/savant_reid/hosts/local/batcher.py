"""Puts the frames of all cameras together: at most one of each camera in a batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence

from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.gst import SECOND_NS
from savant_reid.hosts.local.sources import Source

log = logging.getLogger(__name__)

# Waits are cut into slices, so that stop() - a flag, safe in a signal handler - is seen soon.
_SLICE_SECONDS = 0.05
_POLL_SECONDS = 0.004


class Batcher:
    """Iterates over batches of the sources' frames, each batch in the order of time.

    Files only: a merge by time that depends on nothing but the files. Takes the earliest frame and all that come
    within half a frame interval (of the fastest camera) after it; waits for every camera that has not ended.

    A live camera among them: what is there when the batch is full - each connected camera has given a frame, or
    batch_size is reached - or the timeout runs out, counted from the batch's first frame. Never waits for a dead
    camera.
    """

    def __init__(
        self, sources: Sequence[Source], *, batch_size: int | None = None, batched_push_timeout_us: int = 40_000
    ) -> None:
        """batch_size: frames in a batch at the most; by default one of each camera. Does not start the sources."""
        if not sources:
            raise ValueError("expected at least one source, found none")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"expected batch_size of 1 or more, found {batch_size}")
        self._sources = list(sources)
        self._batch_size = min(batch_size or len(sources), len(sources))
        self._timeout_seconds = batched_push_timeout_us / 1e6
        self._stopping = False
        self._started = False
        self.decode_wait_seconds = 0.0

    def start(self) -> None:
        """Starts all sources. Raises SourceError for the first that cannot be read, and stops the others."""
        try:
            for source in self._sources:
                source.start()
        except BaseException:
            self.close()
            raise
        self._started = True

    def stop(self) -> None:
        """Ends the iteration soon; for signal handlers and other threads: sets a flag, nothing else."""
        self._stopping = True

    def close(self) -> None:
        """Stops all sources; may be called twice."""
        self._stopping = True
        # All at once: one camera that cannot be reached takes its time to let go, and there may be many of them.
        for source in self._sources:
            source.stop_soon()
        for source in self._sources:
            source.stop()

    def __iter__(self) -> Iterator[list[Frame]]:
        """Starts the sources where `start` was not called before, and stops them at the end."""
        if not self._started:
            self.start()
        live = any(source.live for source in self._sources)
        half_interval_ns = self._half_interval_ns()
        try:
            while not self._stopping:
                started = time.perf_counter()
                batch = self._next_live() if live else self._next_of_files(half_interval_ns)
                self.decode_wait_seconds += time.perf_counter() - started
                if not batch:
                    return
                yield batch
        finally:
            self.close()

    def _half_interval_ns(self) -> int:
        """Of the fastest camera."""
        fps = max(source.stats.fps for source in self._sources)
        return round(SECOND_NS / (fps or DEFAULT_FPS) / 2)

    def _next_of_files(self, half_interval_ns: int) -> list[Frame]:
        heads: list[tuple[int, int, Source]] = []
        for order, source in enumerate(self._sources):
            frame = self._wait_for(source)
            if self._stopping:
                return []
            if frame is not None:
                heads.append((frame.time_ns, order, source))
        heads.sort(key=lambda head: head[:2])
        chosen = [source for time_ns, _, source in heads if time_ns < heads[0][0] + half_interval_ns]
        return [frame for source in chosen[: self._batch_size] if (frame := source.take()) is not None]

    def _wait_for(self, source: Source) -> Frame | None:
        """The source's next frame, or None when it has ended or the batcher is stopping."""
        while not self._stopping and not source.ended:
            frame = source.peek(_SLICE_SECONDS)
            if frame is not None:
                return frame
        return None

    def _next_live(self) -> list[Frame]:
        deadline: float | None = None
        while not self._stopping and not all(source.ended for source in self._sources):
            waiting = [(frame.time_ns, order, source) for order, source, frame in self._heads()]
            if waiting and deadline is None:
                deadline = time.monotonic() + self._timeout_seconds
            if waiting and (self._is_full(len(waiting)) or time.monotonic() >= (deadline or 0.0)):
                waiting.sort(key=lambda head: head[:2])
                taken = [source.take() for _, _, source in waiting[: self._batch_size]]
                return sorted((frame for frame in taken if frame is not None), key=lambda frame: frame.time_ns)
            time.sleep(_POLL_SECONDS)
        return []

    def _heads(self) -> Iterator[tuple[int, Source, Frame]]:
        for order, source in enumerate(self._sources):
            frame = source.peek(0.0)
            if frame is not None:
                yield order, source, frame

    def _is_full(self, waiting: int) -> bool:
        alive = sum(source.connected for source in self._sources)
        return waiting >= min(self._batch_size, max(alive, 1))
