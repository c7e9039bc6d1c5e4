"""The words of the identity core: what goes in, what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]


class State(str, Enum):
    """How sure a decision is; the value is what is written to attributes and messages."""

    PROVISIONAL = "provisional"
    CONFIRMED = "confirmed"
    AMBIGUOUS = "ambiguous"


class Reason(str, Enum):
    """Why somebody has no identity (yet)."""

    TOO_LITTLE_EVIDENCE = "too_little_evidence"
    NOT_ENROLLED = "not_enrolled"
    GALLERY_FULL = "gallery_full"


class EventKind(str, Enum):
    """What can happen to an identity; the values are those of identities.jsonl."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    MERGED = "merged"
    SPLIT = "split"
    ENROLLED = "enrolled"
    EXPIRED = "expired"
    ERASED = "erased"


@dataclass(frozen=True)
class Sightings:
    """The tracked people of one frame of one camera.

    track_ids: (n,) int64, unique within the frame; unique over time only together with `camera`
        (hosts fold the tracker's epoch into the id).
    boxes: (n, 4) float32, ltwh, pixels of the source frame.
    confidences: (n,) float32 in [0, 1], of the detection.
    embedding_of: (n,) int64, row in `embeddings`, or -1 where this person has none in this frame.
    embeddings: (m, D) float32; need not be normalised, broken rows are refused and counted.
    frame_size: (width, height) in pixels, to know who stands at the border.
    """

    camera: str
    time_ns: int
    track_ids: Int64s
    boxes: Float32s
    confidences: Float32s
    embedding_of: Int64s
    embeddings: Float32s
    frame_size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.track_ids)


class Unmatched(NamedTuple):
    """Nobody we can name, and why."""

    reason: Reason


class RunnerUp(NamedTuple):
    """The second best answer, for those who want to doubt the best one."""

    global_id: int
    probability: float


@dataclass(frozen=True)
class Decision:
    """Who one tracked person is, as far as the system can tell now."""

    camera: str
    track_id: int
    identity: int | Unmatched
    state: State
    probability: float
    runner_up: RunnerUp | None = None

    @property
    def global_id(self) -> int:
        """The identity, or -1 for tables and attributes, which know no reasons."""
        return self.identity if isinstance(self.identity, int) else -1


@dataclass(frozen=True)
class IdentityEvent:
    """Something that happened to an identity, in the order in which it happened.

    evidence: plain numbers behind the decision (probability, similarity, gap_seconds …), for the log and the curious.
    other_id: for `merged` the id that lives on; for `split` the new one. since_ns: for a `split` that concerns only the
    later part of a track: from when on (the tracker went on with another person).
    """

    kind: EventKind
    time_ns: int
    global_id: int
    camera: str | None = None
    track_id: int | None = None
    other_id: int | None = None
    reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    since_ns: int | None = None
