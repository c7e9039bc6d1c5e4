"""What a module may set of this host's trackers, checked when it loads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from savant_reid.errors import ConfigError
from savant_reid.hosts.local.bytetrack import ByteTrack
from savant_reid.hosts.local.deepsort import DeepSort
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.tracking import Tracker

# name: (smallest, largest, what it is)
_BOUNDS = {
    "frame_rate": (0.1, 1000.0, "frames per second"),
    "high_confidence": (0.0, 1.0, "a confidence"),
    "track_activation_threshold": (0.0, 1.0, "a confidence"),
    "low_confidence": (0.0, 1.0, "a confidence"),
    "min_confidence": (0.0, 1.0, "a confidence"),
    "sure_confidence": (0.0, 1.0, "a confidence"),
    "look_weight": (0.0, 10.0, "a weight"),
    "match_threshold": (0.0, 1.0, "a cost, 1 - IoU * confidence"),
    "max_iou_distance": (0.0, 1.0, "a cost, 1 - IoU"),
    "max_cosine_distance": (0.0, 2.0, "a cost, 1 - cosine"),
    "budget": (1, 1000, "a whole number of looks"),
    "frames_to_confirm": (1, 1000, "a whole number of frames"),
    "lost_seconds": (0.0, 3600.0, "seconds"),
}


@dataclass(frozen=True)
class TrackerSettings:
    """What all trackers share; ConfigError if out of bounds.

    frame_rate: of streams whose own rate is not known. lost_seconds: how long an unseen track waits for its person.
    """

    frame_rate: float = DEFAULT_FPS
    lost_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            smallest, largest, meaning = _BOUNDS[field.name]
            value = getattr(self, field.name)
            kinds = (int,) if isinstance(field.default, int) else (int, float)
            number = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not smallest <= value <= largest:
                raise ConfigError(
                    f"tracker: {field.name}: expected {meaning} from {smallest:g} to {largest:g}, found {value!r}"
                )

    @property
    def looks_from(self) -> float | None:
        """The confidence from which on the tracker wants an embedding of a detection; None where it wants none."""
        return None

    @property
    def colours_from(self) -> float | None:
        """The confidence from which on the tracker wants the colours of a detection; None where it wants none."""
        return None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrackerSettings:
        """The settings of a module; ConfigError on a name that is not known."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ConfigError(f"tracker: {name}: expected one of {', '.join(known)}")
        return cls(**values)

    def start(self, frame_rate: float, ids: Iterator[int]) -> Tracker:
        """A tracker for one camera that gives people the next of `ids`."""
        raise NotImplementedError

    def _own(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "frame_rate"}


@dataclass(frozen=True)
class ByteTrackSettings(TrackerSettings):
    """ByteTrack's (see there); the defaults are those of the paper's code: 0.5, 0.5 + 0.1, 0.1, 0.8 and a second (30
    frames at 30 frames per second), with neither looks nor tracks that are shown at once. Its looks are colours."""

    high_confidence: float = 0.5
    track_activation_threshold: float = 0.6
    low_confidence: float = 0.1
    match_threshold: float = 0.8
    look_weight: float = 0.0
    sure_confidence: float = 1.0

    @property
    def colours_from(self) -> float | None:
        return self.low_confidence if self.look_weight else None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low_confidence > self.high_confidence:
            raise ConfigError(
                f"tracker: low_confidence: expected at most high_confidence ({self.high_confidence:g}), "
                f"found {self.low_confidence!r}"
            )

    def start(self, frame_rate: float, ids: Iterator[int]) -> Tracker:
        return ByteTrack(frame_rate, ids=ids, **self._own())


@dataclass(frozen=True)
class DeepSortSettings(TrackerSettings):
    """DeepSORT's (see there); the defaults are those of the authors' program, 0.3 and 0.2 their values for MOT16."""

    min_confidence: float = 0.3
    max_cosine_distance: float = 0.2
    max_iou_distance: float = 0.7
    budget: int = 100
    frames_to_confirm: int = 3

    @property
    def looks_from(self) -> float | None:
        return self.min_confidence

    def start(self, frame_rate: float, ids: Iterator[int]) -> Tracker:
        return DeepSort(frame_rate, ids=ids, **self._own())
