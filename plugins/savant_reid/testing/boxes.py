"""Where people are in the picture: paths through a view, boxes, and who covers whom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

FRAME_WIDTH_PX, FRAME_HEIGHT_PX = 1920, 1080
FAR_PX, NEAR_PX = 330.0, 1040.0  # where feet stand in the picture, farthest and nearest
DEPTH_BETA = (1.2, 2.8)  # most of the floor that a camera sees is far from it
WIDTH_OF_HEIGHT = 0.4
SPEED_PX_PER_S = (50.0, 130.0)
FASTEST_PX_PER_S = 150.0
BESIDE, BESIDE_SPREAD = 0.275, 0.075  # between people who walk together, in heights of those nearest to the camera
SWAY_PX = 3.0

FRONT, BACK, SIDE = 0, 1, 2


class Paths(NamedTuple):
    """Ways through a view, (n,) of them.

    knots_s: (n, 6) float64, seconds since the visit's start: enter, come to a halt, go on, again, leave.
    feet_px: (n, 6, 2) float64, where the feet are then. mode: (n, 5) int64, which side of the person the camera sees.
    tall: (n,) float64, height against the average person's. sway: (n,) float64, phase.
    """

    knots_s: Float64s
    feet_px: Float64s
    mode: Int64s
    tall: Float64s
    sway: Float64s

    def rows(self, index: Int64s) -> Paths:
        return Paths(*(column[index] for column in self))  # type: ignore[arg-type]

    def join(self, other: Paths) -> Paths:
        return Paths(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def draw_paths(dwell_s: Float64s, together: Int64s, nearest_px: float, rng: np.random.Generator) -> Paths:
    """Paths for visits that last `dwell_s` (n,); those with one number in `together` (n,) walk side by side.

    nearest_px: height of the people nearest to the camera.
    """
    groups, member = np.unique(together, return_inverse=True)
    member = member.ravel()
    points = _way_points(len(groups), rng)[member]
    speed = rng.uniform(*SPEED_PX_PER_S, len(groups))[member]
    halt = rng.beta(1.0, 1.0, len(groups))[member]
    points = points + nearest_px * _beside(member, rng)[:, None]
    points[..., 1] = np.clip(points[..., 1], FAR_PX, NEAR_PX)
    length = np.hypot(*np.diff(points, axis=1).transpose(2, 0, 1))
    # Somebody who is in view for too short a time to cross it turns into a door half-way.
    shrink = np.minimum(1.0, FASTEST_PX_PER_S * dwell_s / np.maximum(length.sum(1), 1.0))
    points = points[:, :1] + (points - points[:, :1]) * shrink[:, None, None]
    length = length * shrink[:, None]
    walk = np.minimum(dwell_s, length.sum(1) / speed)
    legs = walk[:, None] * length / np.maximum(length.sum(1, keepdims=True), 1e-9)
    pause = dwell_s - walk
    spans = np.stack([legs[:, 0], pause * halt, legs[:, 1], pause * (1 - halt), legs[:, 2]], axis=1)
    knots = np.concatenate([np.zeros((len(member), 1)), np.cumsum(spans, axis=1)], axis=1)
    feet = points[:, [0, 1, 1, 2, 2, 3]]
    tall = np.clip(rng.normal(1.0, 0.06, len(member)), 0.8, 1.2)
    return Paths(knots, feet, _modes(feet, rng), tall, rng.uniform(0, 2 * np.pi, len(member)))


def _beside(member: Int64s, rng: np.random.Generator) -> Float64s:
    """(n, 2) how far each one keeps beside the path of its group, in heights; 0 for those who are alone."""
    size = np.bincount(member, minlength=1)
    order = np.argsort(member, kind="stable")
    rank = np.empty(len(member))
    rank[order] = np.arange(len(member)) - (np.cumsum(size) - size)[member[order]]
    across = (rank - (size[member] - 1) / 2) * BESIDE
    offset = np.stack([across, np.zeros(len(member))], axis=1) + rng.normal(0.0, BESIDE_SPREAD, (len(member), 2))
    return np.where(size[member, None] > 1, offset, 0.0)


def _way_points(count: int, rng: np.random.Generator) -> Float64s:
    """(n, 4, 2): in at the left, right, far or near side, two places in the view, out at another side."""
    way_in = rng.integers(0, 4, count)
    way_out = (way_in + rng.integers(1, 4, count)) % 4
    depth = FAR_PX + (NEAR_PX - FAR_PX) * rng.beta(*DEPTH_BETA, (count, 2))
    middle = np.stack([rng.uniform(100, FRAME_WIDTH_PX - 100, (count, 2)), depth], axis=2)
    return np.concatenate([_at_side(way_in, rng)[:, None], middle, _at_side(way_out, rng)[:, None]], axis=1)


def _at_side(side: Int64s, rng: np.random.Generator) -> Float64s:
    x = rng.uniform(200, FRAME_WIDTH_PX - 200, len(side))
    y = FAR_PX + (NEAR_PX - FAR_PX) * rng.beta(*DEPTH_BETA, len(side))
    x = np.select([side == 0, side == 2], [0.0, float(FRAME_WIDTH_PX)], x)
    y = np.select([side == 1, side == 3], [FAR_PX, NEAR_PX], y)
    return np.stack([x, y], axis=1)


def _modes(feet: Float64s, rng: np.random.Generator) -> Int64s:
    """(n, 5): who comes nearer shows the front, who goes away the back; who halts mostly stays as they are."""
    step = np.diff(feet, axis=1)
    # Down the picture is towards the camera; perspective makes steps in depth look short.
    mode = np.where(np.abs(step[..., 0]) > 2.0 * np.abs(step[..., 1]), SIDE, np.where(step[..., 1] > 0, FRONT, BACK))
    turned = rng.random((len(feet), 2)) < 0.3
    other = rng.integers(0, 3, (len(feet), 2))
    for index, segment in enumerate((1, 3)):
        mode[:, segment] = np.where(turned[:, index], other[:, index], mode[:, segment - 1])
    return mode


def segment_at(paths: Paths, seconds: Float64s) -> Int64s:
    """(n,) which of the five parts of its path each one is on, `seconds` (n,) after its start."""
    return np.asarray((seconds[:, None] >= paths.knots_s[:, 1:-1]).sum(1), np.int64)


def boxes_at(paths: Paths, seconds: Float64s, heights_px: tuple[float, float]) -> tuple[Float64s, Float64s]:
    """(n, 4) float64 ltwh in the frame, and (n,) the y of the feet: who stands lower in the picture is nearer."""
    row, segment = np.arange(len(seconds)), segment_at(paths, seconds)
    start, end = paths.knots_s[row, segment], paths.knots_s[row, segment + 1]
    share = np.clip((seconds - start) / np.maximum(end - start, 1e-9), 0.0, 1.0)[:, None]
    feet = paths.feet_px[row, segment] * (1 - share) + paths.feet_px[row, segment + 1] * share
    near = (feet[:, 1] - FAR_PX) / (NEAR_PX - FAR_PX)
    height = (heights_px[0] + (heights_px[1] - heights_px[0]) * near) * paths.tall
    x = feet[:, 0] + SWAY_PX * np.sin(paths.sway + 1.3 * seconds)
    width = height * WIDTH_OF_HEIGHT * (1 + 0.08 * np.sin(2 * paths.sway + 5.0 * seconds))
    ltwh = np.stack([x - width / 2, feet[:, 1] - height, width, height], axis=1)
    return clipped(ltwh), feet[:, 1]


def clipped(boxes: Float64s) -> Float64s:
    """(n, 4) the part of ltwh boxes in the frame, at least 2 pixels each way."""
    limit = np.array([FRAME_WIDTH_PX, FRAME_HEIGHT_PX], np.float64)
    first = np.clip(boxes[:, :2], 0.0, limit - 2)
    last = np.clip(boxes[:, :2] + boxes[:, 2:], first + 2, limit)
    return np.concatenate([first, last - first], axis=1)


class Covering(NamedTuple):
    """Pairs of boxes of one camera that overlap, the first behind the second.

    behind, before: (k,) int64, rows. iou: (k,) float64.
    of_behind, of_before: (k,) float64, the shared part of either box.
    """

    behind: Int64s
    before: Int64s
    iou: Float64s
    of_behind: Float64s
    of_before: Float64s


def covering(camera: Int64s, boxes: Float64s, depth: Float64s) -> Covering:
    """All overlapping pairs. camera: (n,) ascending; whose feet are lower in the picture is in front."""
    a, b = _pairs(camera)
    low = np.maximum(boxes[a, :2], boxes[b, :2])
    high = np.minimum(boxes[a, :2] + boxes[a, 2:], boxes[b, :2] + boxes[b, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    some = shared > 0
    a, b, shared = a[some], b[some], shared[some]
    swap = depth[a] > depth[b]
    behind, before = np.where(swap, b, a), np.where(swap, a, b)
    area = boxes[:, 2] * boxes[:, 3]
    iou = shared / (area[a] + area[b] - shared)
    return Covering(behind, before, iou, shared / area[behind], shared / area[before])


def _pairs(camera: Int64s) -> tuple[Int64s, Int64s]:
    """Every two rows of one camera."""
    last = np.searchsorted(camera, camera, "right")
    row = np.arange(len(camera))
    count = last - row - 1
    a = np.repeat(row, count)
    return a, a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)


def covered_share(pairs: Covering, rows: int) -> Float64s:
    """(n,) share of each box that others cover, as if they covered independently of each other."""
    seen = np.zeros(rows)
    np.add.at(seen, pairs.behind, np.log1p(-np.minimum(pairs.of_behind, 0.999)))
    return np.asarray(1.0 - np.exp(seen), np.float64)
