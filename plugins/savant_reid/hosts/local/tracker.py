"""One tracker per camera and epoch of its stream, as nvtracker does it for the local host."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local.colours import colours
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.tracker_settings import ByteTrackSettings, TrackerSettings
from savant_reid.hosts.local.tracking import Tracker

# Embeddings of the boxes of each frame, given the least confidence: (n, D) float32, rows of NaN where there is none.
Look = Callable[[Sequence[Frame], float], list[NDArray[np.float32]]]


class CameraTrackers:
    """The stage after the detector: detections in, tracked people out, for all cameras.

    frame_rates: of the cameras whose rate is known. look: for trackers that go by embeddings; the frames keep what it
    found. Track ids count up per camera and go on counting in a new epoch, so that camera and track id name a track for
    the whole run.
    """

    def __init__(
        self,
        settings: TrackerSettings | None = None,
        frame_rates: Mapping[str, float] | None = None,
        look: Look | None = None,
    ) -> None:
        self._settings = settings or ByteTrackSettings()
        self._frame_rates = dict(frame_rates or {})
        self._look = look
        self._trackers: dict[str, tuple[int, Tracker]] = {}
        self._ids: dict[str, Iterator[int]] = {}
        self._refused_before = 0

    @property
    def refused(self) -> int:
        """Detections so far that were no boxes."""
        return self._refused_before + sum(tracker.refused for _, tracker in self._trackers.values())

    def track(self, frames: Sequence[Frame]) -> None:
        """Replace the detections of each frame by its tracked people; frames of one camera in the order of time."""
        embeddings = self._embeddings(frames)
        for frame, embedded in zip(frames, embeddings, strict=True):
            looks = self._colours(frame) if embedded is None else embedded
            output = self._tracker(frame).update(frame.boxes, frame.confidences, frame.time_ns, looks)
            frame.set_tracked(output.boxes, output.confidences, output.track_ids)
            frame.looks = None if embedded is None else embedded[output.rows]

    def _embeddings(self, frames: Sequence[Frame]) -> Sequence[NDArray[np.float32] | None]:
        if self._look is None or self._settings.looks_from is None:
            return [None] * len(frames)
        return self._look(frames, self._settings.looks_from)

    def _colours(self, frame: Frame) -> NDArray[np.float32] | None:
        least = self._settings.colours_from
        return None if least is None else colours(frame.image, frame.boxes, frame.confidences >= least)

    def _tracker(self, frame: Frame) -> Tracker:
        epoch, tracker = self._trackers.get(frame.camera, (None, None))
        if tracker is None or epoch != frame.epoch:
            if tracker is not None:
                self._refused_before += tracker.refused
            tracker = self._start(frame.camera)
            self._trackers[frame.camera] = (frame.epoch, tracker)
        return tracker

    def _start(self, camera: str) -> Tracker:
        frame_rate = self._frame_rates.get(camera, self._settings.frame_rate)
        return self._settings.start(frame_rate, self._ids.setdefault(camera, itertools.count(1)))
