"""Fragments of one person in one camera: who appears where somebody was lost a moment ago is probably the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from savant_reid.identity.options import Bools, Doubles, Int64s
from savant_reid.identity.tracklet import Tracklet

# Where a lost person may be, in heights of the box: at once, and more with every second.
SPREAD_HEIGHTS = 0.25
SPREAD_HEIGHTS_PER_S = 0.6
# How long a walk is extrapolated at full speed; people stop and turn.
STRAIGHT_S = 1.0
# So many reappear anywhere in the picture.
ANYWHERE = 0.15
# Boxes of one person have about one height; a spread of this, in nats.
HEIGHT_STD = 0.2


class Lost(NamedTuple):
    """Columns of identities that were lost in the camera where somebody was found, (l,) each.

    asked: number of who was found; rows: in the gallery. before, after: the tracklet that was lost and the one that was
    found; areas: pixels of their frames.
    """

    asked: Int64s
    global_ids: Int64s
    rows: Int64s
    before: NDArray[np.object_]
    after: NDArray[np.object_]
    areas: Doubles

    def take(self, at: Int64s | Bools) -> Lost:
        """Those at these places."""
        return Lost._make(column[at] for column in self)

    def nats(self) -> Doubles:
        """(l,) for being the one that was found; only asked of those that may be, since most are not like them."""
        pairs = zip(self.before.tolist(), self.after.tolist(), self.areas.tolist(), strict=True)
        return np.array([reappearance_nats(before, after, area) for before, after, area in pairs], np.float64)


_NONE = np.zeros(0, np.int64)
NONE_LOST = Lost(_NONE, _NONE, _NONE, np.zeros(0, object), np.zeros(0, object), np.zeros(0))


def reappearance_nats(lost: Tracklet, found: Tracklet, frame_area: float) -> float:
    """log density of appearing where `found` began, for the person of `lost`, against anywhere in the picture."""
    if lost.last_box is None:
        return 0.0
    gap_s = max(0.0, (found.first_ns - lost.last_ns) * 1e-9)
    left, top, width, height = lost.last_box
    new_left, new_top, new_width, new_height = found.first_box
    straight_s = min(gap_s, STRAIGHT_S)
    x = left + 0.5 * width + lost.velocity[0] * straight_s
    y = top + height + lost.velocity[1] * straight_s
    std = max(height, 1.0) * (SPREAD_HEIGHTS + SPREAD_HEIGHTS_PER_S * gap_s)
    far = ((new_left + 0.5 * new_width - x) ** 2 + (new_top + new_height - y) ** 2) / std**2
    # Feet are cut or hidden more often than heads: the height's own evidence counts only mildly.
    stretch = math.log(max(new_height, 1.0) / max(height, 1.0)) / (HEIGHT_STD * (1.0 + gap_s))
    density = math.exp(-0.5 * min(far + 0.5 * stretch**2, 200.0)) / (2.0 * math.pi * std**2)
    return math.log(ANYWHERE + (1.0 - ANYWHERE) * frame_area * density)
