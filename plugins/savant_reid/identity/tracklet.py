"""What the core has gathered about one person on one track: times, evidence, answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.candidates import Arrival, Considered
from savant_reid.identity.types import Reason

Floats = NDArray[np.float32]
# ltwh, pixels.
Box = tuple[float, float, float, float]


@dataclass(slots=True, eq=False)
class Tracklet:
    """One person on one track of one camera; compared and hashed as the object it is.

    serial: unique for ever, in order of appearance. slot: its place among the live tracks, -1 when it has none any
    more. row: of its crops, -1 before the first. first_ns, first_box (ltwh): where it began. last_ns: when it was seen
    last, filled in when it is lost. mean: (D,) robust mean of its crops, raw. crops: how many were taken in all;
    shared_crops: how many of them its identity has counted.

    global_id: its identity, 0 before the decision; unmatched: why it has none. probability: of that answer; ambiguous:
    it is not clear; runner_up: (global_id, probability) of the second best. founder: it made that identity. arrival:
    the walk that brought it there; arrival_log: log rate of that walk; considered: all the answers that were thought of
    when it was asked last. lost: not seen for a moment, its look is in the gallery. taught: it has been learned from.
    asked_ns, asked_crops: when, and with how many crops, it was last decided. strangers: crops in a row, the latest,
    that looked like somebody else. doubts: above 0 for some crops after one that hardly looked like the others.
    cut_from, cut_ns: the identity that was said of this track before it turned out to have gone over to this person,
    and since when. by_hand: somebody has decided who it is; hand_group: which of their people it is now (by_hand.py),
    -1 for none.
    """

    serial: int
    slot: int
    camera: int
    track_id: int
    row: int
    first_ns: int
    first_box: Box
    last_ns: int = 0
    mean: Floats | None = None
    crops: int = 0
    shared_crops: int = 0
    global_id: int = 0
    founder: bool = False
    arrival: Arrival | None = None
    arrival_log: float = 0.0
    probability: float = 0.0
    ambiguous: bool = False
    runner_up: tuple[int, float] | None = None
    considered: Considered | None = None
    unmatched: Reason = Reason.TOO_LITTLE_EVIDENCE
    lost: bool = False
    taught: bool = False
    asked_ns: int = 0
    asked_crops: int = -1
    strangers: int = 0
    doubts: int = 0
    cut_from: int = 0
    cut_ns: int = 0
    by_hand: bool = False
    hand_group: int = -1
