"""One tracker per camera and epoch of its stream, as nvtracker does it for the local host."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.bytetrack import ByteTrack
from savant_reid.hosts.local.frame import Frame
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS

# name: (smallest, largest, what it is)
_BOUNDS = {
    "frame_rate": (0.1, 1000.0, "frames per second"),
    "high_confidence": (0.0, 1.0, "a confidence"),
    "track_activation_threshold": (0.0, 1.0, "a confidence"),
    "low_confidence": (0.0, 1.0, "a confidence"),
    "match_threshold": (0.0, 1.0, "a cost, 1 - IoU * confidence"),
    "lost_seconds": (0.0, 3600.0, "seconds"),
}


@dataclass(frozen=True)
class TrackerSettings:
    """What the nvtracker element of a module may set for the local host; ConfigError if out of bounds.

    frame_rate: of streams whose own rate is not known. The other values are ByteTrack's (see there); the defaults are
    those of the paper's code: 0.5, 0.5 + 0.1, 0.1, 0.8 and a second (30 frames at 30 frames per second).
    """

    frame_rate: float = DEFAULT_FPS
    high_confidence: float = 0.5
    track_activation_threshold: float = 0.6
    low_confidence: float = 0.1
    match_threshold: float = 0.8
    lost_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            smallest, largest, meaning = _BOUNDS[field.name]
            value = getattr(self, field.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not smallest <= value <= largest:
                raise ConfigError(
                    f"tracker: {field.name}: expected {meaning} from {smallest:g} to {largest:g}, found {value!r}"
                )
        if self.low_confidence > self.high_confidence:
            raise ConfigError(
                f"tracker: low_confidence: expected at most high_confidence ({self.high_confidence:g}), "
                f"found {self.low_confidence!r}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrackerSettings:
        """The settings of a module's element; ConfigError on a name that is not known."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigError(f"tracker: {name}: expected one of {', '.join(known)}")
        return cls(**values)


class CameraTrackers:
    """The stage after the detector: detections in, tracked people out, for all cameras.

    frame_rates: of the cameras whose rate is known. Track ids count up per camera and go on counting in a new epoch,
    so that camera and track id name a track for the whole run.
    """

    def __init__(self, settings: TrackerSettings | None = None, frame_rates: Mapping[str, float] | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._frame_rates = dict(frame_rates or {})
        self._trackers: dict[str, tuple[int, ByteTrack]] = {}
        self._ids: dict[str, Iterator[int]] = {}
        self._refused_before = 0

    @property
    def refused(self) -> int:
        """Detections so far that were no boxes."""
        return self._refused_before + sum(tracker.refused for _, tracker in self._trackers.values())

    def track(self, frames: Sequence[Frame]) -> None:
        """Replace the detections of each frame by its tracked people; frames of one camera in the order of time."""
        for frame in frames:
            output = self._tracker(frame).update(frame.boxes, frame.confidences, frame.time_ns)
            frame.set_tracked(output.boxes, output.confidences, output.track_ids)

    def _tracker(self, frame: Frame) -> ByteTrack:
        epoch, tracker = self._trackers.get(frame.camera, (None, None))
        if tracker is None or epoch != frame.epoch:
            if tracker is not None:
                self._refused_before += tracker.refused
            tracker = self._start(frame.camera)
            self._trackers[frame.camera] = (frame.epoch, tracker)
        return tracker

    def _start(self, camera: str) -> ByteTrack:
        settings = self._settings
        return ByteTrack(
            self._frame_rates.get(camera, settings.frame_rate),
            high_confidence=settings.high_confidence,
            track_activation_threshold=settings.track_activation_threshold,
            low_confidence=settings.low_confidence,
            match_threshold=settings.match_threshold,
            lost_seconds=settings.lost_seconds,
            ids=self._ids.setdefault(camera, itertools.count(1)),
        )
