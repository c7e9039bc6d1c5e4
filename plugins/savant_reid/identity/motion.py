"""Fragments of one person in one camera: who appears where somebody was lost a moment ago is probably the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from savant_reid.identity.options import Bools, Doubles, Int64s, each
from savant_reid.identity.tracklet import Floats

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

    asked: number of who was found; rows: in the gallery. nats: for being the one that was found.
    """

    asked: Int64s
    global_ids: Int64s
    rows: Int64s
    nats: Doubles

    def take(self, at: Int64s | Bools) -> Lost:
        """Those at these places."""
        return Lost._make(column[at] for column in self)


_NONE = np.zeros(0, np.int64)
NONE_LOST = Lost(_NONE, _NONE, _NONE, np.zeros(0))


def reappearance_nats(lost: Floats, velocities: Doubles, found: Floats, gaps_s: Doubles, areas: Doubles) -> Doubles:
    """(l,) log density of appearing in the box `found` (l, 4), for who was lost in the box `lost` (l, 4) `gaps_s` (l,)
    seconds before, against anywhere in the picture.

    velocities: (l, 2) px/s of the middle of the feet; areas: (l,) pixels of a frame.
    """
    left, top, width, height = np.asarray(lost, np.float64).T
    new_left, new_top, new_width, new_height = np.asarray(found, np.float64).T
    straight_s = np.minimum(gaps_s, STRAIGHT_S)
    x = left + 0.5 * width + velocities[:, 0] * straight_s
    y = top + height + velocities[:, 1] * straight_s
    std = np.maximum(height, 1.0) * (SPREAD_HEIGHTS + SPREAD_HEIGHTS_PER_S * gaps_s)
    far = ((new_left + 0.5 * new_width - x) ** 2 + (new_top + new_height - y) ** 2) / std**2
    # Feet are cut or hidden more often than heads: the height's own evidence counts only mildly.
    stretch = each(math.log, np.maximum(new_height, 1.0) / np.maximum(height, 1.0)) / (HEIGHT_STD * (1.0 + gaps_s))
    density = each(math.exp, -0.5 * np.minimum(far + 0.5 * stretch**2, 200.0)) / (2.0 * math.pi * std**2)
    return each(math.log, ANYWHERE + (1.0 - ANYWHERE) * areas * density)
