"""One camera's view of one room: the still backdrop, and people drawn before it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from simulated_site import backdrop as bk
from simulated_site import parts as pt
from simulated_site import raster as rs
from simulated_site.body import pose_parts
from simulated_site.camera import NOISE_TILE_SLACK_PX, Camera
from simulated_site.rooms import CEILING_M, MAX_STATIC_PARTS, Room
from simulated_site.wardrobe import Figure

MAX_PEOPLE = 24


@dataclass(frozen=True)
class Seen:
    """One figure in one frame. Boxes are (left, top, right, bottom), pixels, amodal.

    whole: of the unclipped figure, may reach beyond the frame; inside: of its pixels in the frame, hidden ones too.
    visibility: visible pixels / pixels in the frame.
    """

    index: int
    whole: tuple[float, float, float, float]
    inside: tuple[int, int, int, int]
    visibility: float


class Stage:
    """Draws frames of a room as a camera sees it; buffers are reused, so one Stage belongs to one thread."""

    def __init__(self, room: Room, camera: Camera) -> None:
        self.room, self.camera = room, camera
        shape = (camera.height, camera.width)
        self._depth0 = np.empty(shape, np.float32)
        self._still = np.empty((*shape, 3), np.uint8)
        self._floor_xy = np.empty((*shape, 2), np.float32)
        self._depth, self._image = np.empty_like(self._depth0), np.empty_like(self._still)
        self._part, self._stamp = np.full(shape, -1, np.int16), np.empty(shape, np.int16)
        self._parts = np.empty((pt.MAX_PARTS, pt.PART_COLUMNS))
        self._placed = np.empty((max(MAX_PEOPLE * pt.MAX_PARTS, MAX_STATIC_PARTS), rs.PLACED_COLUMNS))
        self._paint_still()

    @property
    def floor_xy(self) -> np.ndarray:
        """(h, w, 2) float32: the plan's metres of the floor seen at each pixel, 1e9 where it is not floor."""
        return self._floor_xy

    def _paint_still(self) -> None:
        room, cam = self.room, self.camera
        light = np.array(cam.light) / np.linalg.norm(cam.light)
        buffers = (self._depth0, self._still, self._floor_xy)
        bk.paint(
            *(np.array(room.boxes), room.floor, CEILING_M, room.lamps),
            *(cam.rotation, cam.position, cam.focal_px, light, cam.optics, buffers),
        )
        if not room.parts:
            return
        self._part.fill(rs.NOTHING)
        self._stamp.fill(-1)
        parts = np.array(room.parts)
        nobody = np.zeros(len(pt.POSE))
        end = self._place(parts, len(parts), nobody, 0, 0)
        rs.splat(self._placed, 0, end, cam.pinhole, self._depth0, self._part, self._stamp, np.zeros(8))
        everywhere = np.array([0, 0, cam.width, cam.height])
        materials = room.materials[None]
        rs.shade(self._placed, materials, cam.pinhole, self._depth0, self._part, cam.optics, self._still, everywhere)
        self._floor_xy[self._part >= 0] = 1e9

    def _place(self, parts: np.ndarray, count: int, pose: np.ndarray, owner: int, start: int) -> int:
        cam = self.camera
        end = rs.place(parts, count, pose, cam.rotation, cam.position, cam.pinhole, owner, self._placed, start)
        return int(end)

    def draw(self, figures: list[Figure], poses: np.ndarray, noise_key: int) -> tuple[np.ndarray, list[Seen]]:
        """Image (h, w, 3) uint8 BGR, a fresh array, and what is in the frame. poses: (n, len(POSE)) float64."""
        np.copyto(self._image, self._still)
        np.copyto(self._depth, self._depth0)
        seen = self._draw_people(figures, poses) if len(figures) else []
        return self._develop(noise_key), seen

    def _draw_people(self, figures: list[Figure], poses: np.ndarray) -> list[Seen]:
        cam = self.camera
        self._stamp.fill(-1)
        starts, stats = [0], np.zeros((len(figures), 8))
        for i, figure in enumerate(figures):
            count = pose_parts(figure.body, poses[i], self._parts)
            self._cast_shadow(poses[i])
            starts.append(self._place(self._parts, count, poses[i], i, starts[-1]))
        if starts[-1] == 0:
            return []
        bounds = self._bounds(self._placed[: starts[-1]])
        if bounds[2] <= bounds[0] or bounds[3] <= bounds[1]:
            return []
        self._part[bounds[1] : bounds[3], bounds[0] : bounds[2]] = rs.NOTHING
        for i, (first, last) in enumerate(pairwise(starts)):
            rs.splat(self._placed, first, last, cam.pinhole, self._depth, self._part, self._stamp, stats[i])
        materials = np.stack([figure.materials for figure in figures])
        rs.shade(self._placed, materials, cam.pinhole, self._depth, self._part, cam.optics, self._image, bounds)
        visible = np.zeros(len(figures), np.int64)
        rs.tally(self._part, self._placed, bounds, visible)
        return self._seen(starts, stats, visible)

    def _seen(self, starts: list[int], stats: np.ndarray, visible: np.ndarray) -> list[Seen]:
        out = []
        for i, row in enumerate(stats):
            if row[0] <= 0:
                continue
            q = self._placed[starts[i] : starts[i + 1]]
            whole = (q[:, 24].min(), q[:, 26].min(), q[:, 25].max(), q[:, 27].max())
            inside = (int(row[1]), int(row[2]), int(row[3]), int(row[4]))
            out.append(Seen(i, tuple(map(float, whole)), inside, float(visible[i] / row[0])))  # type: ignore[arg-type]
        return out

    def _bounds(self, placed: np.ndarray) -> np.ndarray:
        """Whole pixels x0, y0, x1, y1 that hold all of `placed`, with 6 px for the crease's neighbours, inside the
        frame.
        """
        x0, x1 = placed[:, 24].min() - 6, placed[:, 25].max() + 6
        y0, y1 = placed[:, 26].min() - 6, placed[:, 27].max() + 6
        w, h = self.camera.width, self.camera.height
        return np.array(
            [int(np.clip(x0, 0, w)), int(np.clip(y0, 0, h)), int(np.clip(x1, 0, w)), int(np.clip(y1, 0, h))]
        )

    def _cast_shadow(self, pose: np.ndarray) -> None:
        cam = self.camera
        lean = np.array(cam.light[:2]) / -np.linalg.norm(cam.light) * 0.45
        corners = pose[:2] + np.array([[-1.2, -1.2], [1.2, -1.2], [-1.2, 1.2], [1.2, 1.2]])
        pixels = cam.to_pixels(np.column_stack([corners, np.zeros(4)]))
        low, high = np.nanmin(pixels, axis=0), np.nanmax(pixels, axis=0)
        if not np.all(np.isfinite(pixels)):
            return
        w, h = cam.width, cam.height
        bounds = np.array(
            [
                int(np.clip(low[0], 0, w)),
                int(np.clip(low[1], 0, h)),
                int(np.clip(high[0], 0, w)),
                int(np.clip(high[1], 0, h)),
            ]
        )
        bk.cast_shadow(
            self._image,
            self._floor_xy,
            pose[0],
            pose[1],
            lean[0],
            lean[1],
            min(1.0, 0.7 + 0.3 * cam.strengths[0]),
            bounds,
        )

    def _develop(self, noise_key: int) -> np.ndarray:
        """Blur and sensor noise; the noise tile's window follows from noise_key."""
        cam = self.camera
        out = cv2.GaussianBlur(self._image, (3, 3), cam.blur_px)
        oy, ox = (
            (noise_key * 2654435761 >> 7) % NOISE_TILE_SLACK_PX,
            (noise_key * 40503 >> 3) % NOISE_TILE_SLACK_PX,
        )
        rs.finish(out, cam.noise_tile, oy, ox, out)
        return out
