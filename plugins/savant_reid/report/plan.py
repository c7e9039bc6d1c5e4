"""The site plan as a picture: rooms, cameras, and arrows for the walks seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from savant_reid.report.palette import CameraColour
from savant_reid.report.run_data import mapping
from savant_reid.report.transitions import Transition

WIDTH_PX = 760.0
MARGIN_PX = 56.0
CAMERA_PX = 15.0
# Of a bold sans-serif at 13.5 px, on the safe side.
LETTER_PX = 8.5
LABEL_LETTERS = 30
# Place of an arrow's label on its curve, 0 start, 1 end.
LABEL_AT = 0.36
# Arrows with less than this share of the busiest one's walks are drawn pale and without number: the table has them all.
RARE_SHARE = 0.04
Point = tuple[float, float]


@dataclass
class Room:
    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass
class Spot:
    camera: CameraColour
    x: float
    y: float

    @property
    def label(self) -> str:
        name = self.camera.name
        return name if len(name) <= LABEL_LETTERS else name[: LABEL_LETTERS - 1] + "\u2026"

    @property
    def anchor(self) -> str:
        """The label stands below the middle, or leans inwards where it would leave the picture."""
        half_px = LETTER_PX * len(self.label) / 2
        return "end" if self.x + half_px > WIDTH_PX else "start" if self.x < half_px else "middle"

    @property
    def label_x(self) -> float:
        return self.x + {"end": CAMERA_PX, "start": -CAMERA_PX, "middle": 0.0}[self.anchor]


@dataclass
class Arrow:
    transition: Transition
    path: str
    label_x: float
    label_y: float
    stroke_px: float
    is_rare: bool

    @property
    def is_odd(self) -> bool:
        """More than a fifth of the walks are outside the window: no single mistake explains that."""
        return self.transition.outside * 5 > self.transition.count


@dataclass
class Plan:
    """Places in pixels of a picture WIDTH_PX wide and `height` high. to_scale: False when cameras stand on a circle."""

    height: float
    rooms: list[Room]
    spots: list[Spot]
    arrows: list[Arrow]
    to_scale: bool


def draw_plan(site: dict[str, Any], colours: dict[str, CameraColour], transitions: list[Transition]) -> Plan:
    """In site.yml x grows to the right and y upwards (north), in metres; the picture's y grows downwards."""
    rooms = _rooms(site)
    places = _places(site, list(colours))
    to_scale = bool(places)
    metres = places if to_scale else _circle(list(colours))
    if not to_scale:
        rooms = {}
    _add_unplaced(metres, list(colours), rooms)
    corners = [*metres.values(), *((x, y) for x, y, _, _ in rooms.values())]
    corners += [(x + width, y + depth) for x, y, width, depth in rooms.values()]
    left, right = min(x for x, _ in corners), max(x for x, _ in corners)
    low, high = min(y for _, y in corners), max(y for _, y in corners)
    inner = WIDTH_PX - 2 * MARGIN_PX
    # A long corridor must not become a tower: at most as high as wide.
    scale = min(inner / max(right - left, 1e-6), 0.75 * inner / max(high - low, 1e-6), 400.0)
    shift = (WIDTH_PX - scale * (right - left)) / 2

    def pixel(point: Point) -> Point:
        return round(shift + scale * (point[0] - left), 1), round(MARGIN_PX + scale * (high - point[1]), 1)

    spots = {name: Spot(colours[name], *pixel(point)) for name, point in metres.items()}
    drawn = [
        Room(name, *pixel((x, y + depth)), round(scale * width, 1), round(scale * depth, 1))
        for name, (x, y, width, depth) in rooms.items()
    ]
    height = round(2 * MARGIN_PX + scale * (high - low), 1)
    return Plan(height, drawn, list(spots.values()), _arrows(transitions, spots), to_scale)


def _arrows(transitions: list[Transition], spots: dict[str, Spot]) -> list[Arrow]:
    """Seen walks, and declared ones that nobody took (thin); the two ways of a pair bend apart."""
    most = max((one.count for one in transitions), default=1) or 1
    return [
        _arrow(one, spots[one.source], spots[one.target], most)
        for one in reversed(transitions)
        if one.source in spots and one.target in spots and one.source != one.target
    ]


def _arrow(transition: Transition, source: Spot, target: Spot, most: int) -> Arrow:
    t = LABEL_AT
    dx, dy = target.x - source.x, target.y - source.y
    length = math.hypot(dx, dy) or 1.0
    bend = 0.12 * length + 10
    middle = ((source.x + target.x) / 2 + dy / length * bend, (source.y + target.y) / 2 - dx / length * bend)
    start = _towards(source, middle, CAMERA_PX + 3)
    end = _towards(target, middle, CAMERA_PX + 7)
    path = f"M{start[0]:.1f},{start[1]:.1f} Q{middle[0]:.1f},{middle[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
    # Nearer to its start than to its end, so that the labels of arrows that cross or run side by side stay apart.
    x, y = ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(start, middle, end, strict=True))
    stroke_px = round(1.2 + 3.3 * math.sqrt(transition.count / most), 2)
    return Arrow(transition, path, round(x, 1), round(y, 1), stroke_px, transition.count < RARE_SHARE * most)


def _towards(spot: Spot, point: Point, distance: float) -> Point:
    dx, dy = point[0] - spot.x, point[1] - spot.y
    length = math.hypot(dx, dy) or 1.0
    return spot.x + dx / length * distance, spot.y + dy / length * distance


def _places(site: dict[str, Any], cameras: list[str]) -> dict[str, Point]:
    known = {str(name): mapping(entry).get("plan") for name, entry in mapping(site.get("cameras")).items()}
    numbers = {name: _numbers(known.get(name), 2) for name in cameras}
    return {name: (place[0], place[1]) for name, place in numbers.items() if place}


def _rooms(site: dict[str, Any]) -> dict[str, list[float]]:
    rooms = {str(name): _numbers(room, 4) for name, room in mapping(site.get("rooms")).items()}
    return {name: room for name, room in rooms.items() if room}


def _numbers(value: Any, count: int) -> list[float] | None:
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in value):
        return None
    return [float(one) for one in value]


def _circle(cameras: list[str]) -> dict[str, Point]:
    n = max(len(cameras), 1)
    # Two stand side by side, more begin at the top.
    angles = [2 * math.pi * (i / n - (0.25 if n == 2 else 0)) for i in range(n)]
    return {name: (1.45 * math.sin(a), math.cos(a)) for name, a in zip(cameras, angles, strict=True)}


def _add_unplaced(places: dict[str, Point], cameras: list[str], rooms: dict[str, list[float]]) -> None:
    """Cameras without a place stand in a row below the others."""
    xs = [x for x, _ in places.values()] + [x + width for x, _, width, _ in rooms.values()] or [0.0]
    ys = [y for _, y in places.values()] + [y for _, y, _, _ in rooms.values()] or [0.0]
    missing = [name for name in cameras if name not in places]
    step = max((max(xs) - min(xs)) / max(len(missing), 1), 2.0)
    for i, name in enumerate(missing):
        places[name] = (min(xs) + i * step, min(ys) - 0.15 * max(max(xs) - min(xs), 5.0))
