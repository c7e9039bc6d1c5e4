"""Endless labelled pictures for training the demo's models: people and scenes that no demo shows.

All randomness comes from SeedSequence([TRAINING_KEY, sampler, seed]); a demo site draws from another key
(`plan.SITE_KEY`), so no seed of one gives a person, a room or a camera of the other. The looks come from the same
distribution (`looks.py`), cameras, light and sensors from a wider one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from simulated_site.camera import Camera, random_sensor
from simulated_site.furniture import furnish
from simulated_site.looks import look_alike, random_look
from simulated_site.parts import POSE
from simulated_site.rooms import Door, Room
from simulated_site.stage import Seen, Stage
from simulated_site.wardrobe import Figure, compile_look

TRAINING_KEY = 0x747261696E
_FRAMES, _CROPS = 1, 2
FRAMES_PER_SCENE = 8
GROUP = 12  # identities that are shown together
VIEWS_PER_CAMERA = 2
MIN_CROP_HEIGHT_PX = 48
MIN_CROP_VISIBILITY = 0.4
PERSON_GAP_M = 0.55


def _rng(sampler: int, seed: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([TRAINING_KEY, sampler, seed]))


def _random_camera(room: Room, rng: np.random.Generator) -> Camera:
    """In a corner or on a wall, looking inwards."""
    corner = rng.random() < 0.6
    fx, fy = (
        (rng.choice([0.04, 0.96]), rng.choice([0.04, 0.96]))
        if corner
        else (rng.uniform(0.1, 0.9), rng.choice([0.04, 0.96]))
    )
    x, y = room.x + fx * room.width, room.y + fy * room.depth
    yaw = math.atan2(room.y + 0.5 * room.depth - y, room.x + 0.5 * room.width - x) + rng.normal(0, 0.18)
    height = rng.uniform(2.2, 3.7)
    pitch = math.atan2(height - 0.9, rng.uniform(3.0, 8.0)) + rng.normal(0, 0.02)
    return Camera(
        float(x),
        float(y),
        float(height),
        float(yaw),
        float(pitch),
        math.radians(rng.uniform(52, 95)),
        **random_sensor(rng, 1.7),
    )  # type: ignore[arg-type]


def _random_stage(rng: np.random.Generator) -> Stage:
    width, depth = rng.uniform(6.0, 12.0), rng.uniform(6.0, 11.0)
    sides = rng.permutation(4)[: int(rng.integers(1, 4))]
    doors = tuple(
        Door(int(s), float(rng.uniform(1.2, (width if s in (0, 2) else depth) - 1.2)), int(rng.choice([-1, 1])))
        for s in sides
    )
    room = Room(0.0, 0.0, float(width), float(depth), doors, int(rng.integers(1 << 31)))
    camera = _random_camera(room, rng)
    # The room's own key is its style seed, 31 bits from this generator; a site's rooms carry their key's mark in bit
    # 31.
    furnish(room, [camera.position[:2]], walls=int(rng.integers(2, 14)), islands=int(rng.integers(0, 5)))
    return Stage(room, camera)


def _blocked(room: Room, x: float, y: float, gap_m: float = 0.24) -> bool:
    if not (room.x + 0.3 < x < room.x + room.width - 0.3 and room.y + 0.3 < y < room.y + room.depth - 0.3):
        return True
    for bx, by, hx, hy, yaw in room.blocks:
        c, s = math.cos(yaw), math.sin(yaw)
        if abs(c * (x - bx) + s * (y - by)) < hx + gap_m and abs(-s * (x - bx) + c * (y - by)) < hy + gap_m:
            return True
    return False


def _place(stage: Stage, taken: list[tuple[float, float]], rng: np.random.Generator) -> tuple[float, float] | None:
    """A free spot: mostly on floor that the camera sees, sometimes behind furniture, sometimes right before
    somebody.
    """
    room, cam = stage.room, stage.camera
    for _ in range(20):
        draw = rng.random()
        if draw < 0.12 and taken:
            ox, oy = taken[int(rng.integers(len(taken)))]
            away = np.array([cam.x - ox, cam.y - oy])
            away /= np.linalg.norm(away) + 1e-9
            x, y = (
                np.array([ox, oy]) + away * rng.uniform(0.6, 1.3) + np.array([-away[1], away[0]]) * rng.normal(0, 0.2)
            )
        elif draw < 0.75:
            row, col = rng.integers(cam.height // 8, cam.height), rng.integers(0, cam.width)
            x, y = stage.floor_xy[row, col]
        else:
            x, y = room.x + room.width * rng.random(), room.y + room.depth * rng.random()
        distance = math.hypot(x - cam.x, y - cam.y)
        if not 1.8 < distance < 12.0 or _blocked(room, x, y):
            continue
        if all(math.hypot(x - a, y - b) > PERSON_GAP_M for a, b in taken):
            return float(x), float(y)
    return None


def _random_pose(place: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    walk = rng.uniform(0.75, 1.05) if rng.random() < 0.65 else 0.0
    reach = rng.uniform(0.3, 1.0) if walk == 0.0 and rng.random() < 0.3 else 0.0
    turn = rng.normal(0, 0.25 if walk else 0.45)
    pose = (
        *place,
        rng.uniform(0, 2 * math.pi),
        rng.uniform(0, 2 * math.pi),
        walk,
        reach,
        turn,
        rng.uniform(0, 2 * math.pi),
    )
    if len(pose) != len(POSE):
        raise ValueError(f"a pose has {len(POSE)} columns, got {len(pose)}")
    return np.array(pose)


def _crowd(stage: Stage, count: int, rng: np.random.Generator) -> np.ndarray:
    taken: list[tuple[float, float]] = []
    poses = []
    for _ in range(count):
        place = _place(stage, taken, rng)
        if place is None:
            break
        taken.append(place)
        poses.append(_random_pose(place, rng))
    return np.array(poses).reshape(-1, len(POSE))


def random_frames(seed: int, count: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Frames for a detector: (image (360, 640, 3) uint8 BGR, boxes (n, 4) float32, visibilities (n,) float32).

    boxes: ltwh, pixels, the whole figure (hidden parts too) clipped to the frame; only figures with at least one
    visible pixel and 16 px of height. visibilities: visible pixels / the figure's pixels inside the frame. About one
    frame in eight is empty.
    """
    rng = _rng(_FRAMES, seed)
    stage, figures = None, []
    for index in range(count):
        if stage is None or index % FRAMES_PER_SCENE == 0:
            stage = _random_stage(rng)
            figures = [compile_look(random_look(rng)) for _ in range(10)]
        wanted = 0 if rng.random() < 0.12 else int(rng.integers(1, 9))
        poses = _crowd(stage, wanted, rng)
        chosen = rng.permutation(len(figures))[: len(poses)]
        image, seen = stage.draw([figures[i] for i in chosen], poses, int(rng.integers(1 << 30)))
        kept = [s for s in seen if s.visibility > 0 and s.inside[3] - s.inside[1] >= 16]
        boxes = np.array(
            [(s.inside[0], s.inside[1], s.inside[2] - s.inside[0], s.inside[3] - s.inside[1]) for s in kept],
            np.float32,
        )
        yield image, boxes.reshape(-1, 4), np.array([s.visibility for s in kept], np.float32)


def _usable(s: Seen) -> bool:
    """Enough of the figure is in the frame and visible to be worth an embedding."""
    whole = (s.whole[2] - s.whole[0]) * (s.whole[3] - s.whole[1])
    inside = (s.inside[2] - s.inside[0]) * (s.inside[3] - s.inside[1])
    return (
        s.inside[3] - s.inside[1] >= MIN_CROP_HEIGHT_PX and s.visibility >= MIN_CROP_VISIBILITY and inside > 0.6 * whole
    )


def _cut(image: np.ndarray, s: Seen, rng: np.random.Generator) -> np.ndarray:
    """The crop of a detector that is off by some 6 % of the box on each edge at most."""
    left, top, right, bottom = s.inside
    w, h = right - left, bottom - top
    edges = np.array([left, top, right, bottom]) + rng.uniform(-0.06, 0.06, 4) * (w, h, w, h)
    x0, y0 = max(0, round(edges[0])), max(0, round(edges[1]))
    x1, y1 = min(image.shape[1], round(edges[2])), min(image.shape[0], round(edges[3]))
    return image[y0:y1, x0:x1].copy()


def _group(size: int, rng: np.random.Generator) -> list[Figure]:
    """Figures, about a third of them in families of two or three look-alikes."""
    figures: list[Figure] = []
    while len(figures) < size:
        look = random_look(rng)
        figures.append(compile_look(look))
        if rng.random() < 0.2:
            family = [look_alike(look, rng) for _ in range(int(rng.integers(1, 3)))]
            figures += [compile_look(other) for other in family][: size - len(figures)]
    return figures


def _views(
    stage: Stage, figures: list[Figure], wanted: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Crops until nobody is wanted any more; `wanted` (n,) counts down. Gives up after many frames (a bad camera)."""
    for _ in range(12 * VIEWS_PER_CAMERA):
        open_ones = np.flatnonzero(wanted > 0)
        if not len(open_ones):
            return
        order = open_ones[np.argsort(-wanted[open_ones] + rng.random(len(open_ones)))]
        poses = _crowd(stage, min(len(order), int(rng.integers(3, 7))), rng)
        chosen = order[: len(poses)]
        image, seen = stage.draw([figures[i] for i in chosen], poses, int(rng.integers(1 << 30)))
        for s in seen:
            if _usable(s):
                wanted[chosen[s.index]] -= 1
                yield int(chosen[s.index]), _cut(image, s, rng)


def identity_crops(seed: int, identities: int, views_per_identity: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Crops for an embedder: (person_index, camera_index, crop (h, w, 3) uint8 BGR).

    Every person is seen about VIEWS_PER_CAMERA times in each of several random cameras, from any side, at any distance
    and gait phase; some views are partly hidden. Persons come in groups of GROUP, interleaved within a group, so
    shuffle before use; person_index runs from 0 to identities - 1, camera_index is unique over the whole call. Each
    person gets exactly views_per_identity crops.
    """
    rng = _rng(_CROPS, seed)
    camera_index = 0
    for first in range(0, identities, GROUP):
        figures = _group(min(GROUP, identities - first), rng)
        missing = np.full(len(figures), views_per_identity)
        while missing.any():
            wanted = np.minimum(missing, VIEWS_PER_CAMERA)
            for person, crop in _views(_random_stage(rng), figures, wanted, rng):
                missing[person] -= 1
                yield first + person, camera_index, crop
            camera_index += 1
