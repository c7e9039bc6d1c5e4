"""Ways through a room: a grid of free floor, shortest paths that keep off furniture, and smoothing."""

from __future__ import annotations

import heapq
import math

import numpy as np
from numba import njit

from simulated_site.rooms import Room

CELL_M = 0.15
BODY_M = 0.34  # half a person and some air
PAIR_M = 0.62  # half of two people side by side
POINT_M = 0.05  # spacing of a path's points


def clearance(room: Room, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Metres from points to the nearest wall or furniture of the room (negative inside)."""
    free = np.minimum(np.minimum(x - room.x, room.x + room.width - x), np.minimum(y - room.y, room.y + room.depth - y))
    for bx, by, hx, hy, yaw in room.blocks:
        c, s = math.cos(yaw), math.sin(yaw)
        dx, dy = np.abs(c * (x - bx) + s * (y - by)) - hx, np.abs(-s * (x - bx) + c * (y - by)) - hy
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
        free = np.minimum(free, outside + np.minimum(np.maximum(dx, dy), 0))
    return free


@njit(cache=True)
def _shortest(cost, start, goal):
    """Dijkstra on a grid with 8 neighbours; cost < 0 is blocked. Cells from start to goal as flat indices, empty
    if none.
    """
    rows, cols = cost.shape
    best = np.full(rows * cols, np.inf)
    back = np.full(rows * cols, -1, np.int64)
    best[start] = 0.0
    heap = [(0.0, start)]
    while len(heap):
        d, i = heapq.heappop(heap)
        if i == goal:
            break
        if d > best[i]:
            continue
        r, c = i // cols, i % cols
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                rr, cc = r + dr, c + dc
                if rr < 0 or cc < 0 or rr >= rows or cc >= cols or cost[rr, cc] < 0:
                    continue
                e = d + math.sqrt(dr * dr + dc * dc) * 0.5 * (cost[r, c] + cost[rr, cc])
                j = rr * cols + cc
                if e < best[j]:
                    best[j] = e
                    back[j] = i
                    heapq.heappush(heap, (e, j))
    path = [goal]
    if best[goal] == np.inf:
        return np.empty(0, np.int64)
    while path[-1] != start:
        path.append(back[path[-1]])
    return np.array(path)[::-1]


class Grid:
    """Free floor of one room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._cols, self._rows = int(room.width / CELL_M), int(room.depth / CELL_M)
        self.x = room.x + (np.arange(self._cols) + 0.5) * CELL_M
        self.y = room.y + (np.arange(self._rows) + 0.5) * CELL_M
        gx, gy = np.meshgrid(self.x, self.y)
        self.free_m = clearance(room, gx, gy)
        # Walking close to things costs more, so that paths keep to the middle of an aisle.
        near = 1.0 + 2.0 * np.clip(0.8 - self.free_m, 0, 1)
        self._cost = {wide: np.where(self.free_m > (PAIR_M if wide else BODY_M), near, -1.0) for wide in (False, True)}

    def _cell(self, point: np.ndarray) -> tuple[int, int]:
        col = int(np.clip((point[0] - self.room.x) / CELL_M, 0, self._cols - 1))
        return int(np.clip((point[1] - self.room.y) / CELL_M, 0, self._rows - 1)), col

    def spots(self, free_m: float) -> np.ndarray:
        """Centres (n, 2) of cells with at least free_m around them."""
        rows, cols = np.nonzero(self.free_m > free_m)
        return np.stack([self.x[cols], self.y[rows]], axis=1)

    def route(self, start: np.ndarray, goal: np.ndarray, *, wide: bool = False) -> np.ndarray | None:
        """Points (n, 2) from start to goal, or None where furniture is in the way."""
        cost = self._cost[wide]
        a, b = self._cell(start), self._cell(goal)
        if cost[a] < 0 or cost[b] < 0:
            return None
        cells = _shortest(cost, a[0] * self._cols + a[1], b[0] * self._cols + b[1])
        if not len(cells):
            return None
        inner = np.stack([self.x[cells % self._cols], self.y[cells // self._cols]], axis=1)
        return np.concatenate([np.asarray(start)[None], inner[1:-1], np.asarray(goal)[None]])


def resample(points: np.ndarray, spacing_m: float = POINT_M) -> np.ndarray:
    """The same line with points every spacing_m."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    points = points[np.concatenate([[True], steps > 1e-9])]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(2, int(along[-1] / spacing_m) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


def smooth(points: np.ndarray, window_m: float = 0.9) -> np.ndarray:
    """Round the corners of a resampled line by two moving averages; both ends stay where they are."""
    half = max(1, int(window_m / POINT_M / 4))
    for _ in range(2):
        padded = np.concatenate(
            [2 * points[0] - points[half:0:-1], points, 2 * points[-1] - points[-2 : -half - 2 : -1]]
        )
        if len(padded) != len(points) + 2 * half:
            return points
        kernel = np.ones(2 * half + 1) / (2 * half + 1)
        points = np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in range(2)], axis=1)
    return points
