"""A whole simulated site as a pure description: plan, cameras, people and where each of them is in every frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulated_site.camera import Camera
from simulated_site.looks import Look, look_alike, random_look
from simulated_site.parts import POSE
from simulated_site.paths import PAIR_M, Grid
from simulated_site.plan import MAX_CAMERAS, NAMES, SITE_KEY, Plan, make_plan
from simulated_site.rooms import Room
from simulated_site.routes import NOWHERE, SPEEDS, Diary, Group, Walker
from simulated_site.stage import MAX_PEOPLE, Stage
from simulated_site.wardrobe import Figure, compile_look

LOOK_ALIKE_SHARE = 0.2
MAX_SITE_PEOPLE = 200


@dataclass(frozen=True)
class Person:
    """number: the truth's global_id, from 1. alike: the number of the person whose look this one resembles, or
    None.
    """

    number: int
    look: Look
    figure: Figure
    alike: int | None


@dataclass
class Site:
    """cameras: name to index into plan.rooms and plan.cameras. diary: who is where, frame by frame."""

    seed: int
    fps: int
    seconds: float
    frames: int
    cameras: dict[str, int]
    plan: Plan
    people: tuple[Person, ...]
    diary: Diary
    _stages: dict[str, Stage] = field(default_factory=dict, repr=False)

    def room(self, camera_name: str) -> Room:
        return self.plan.rooms[self.cameras[camera_name]]

    def camera(self, camera_name: str) -> Camera:
        return self.plan.cameras[self.cameras[camera_name]]

    def stage(self, camera_name: str) -> Stage:
        """The camera's renderer, made once (some 50 ms)."""
        if camera_name not in self._stages:
            self._stages[camera_name] = Stage(self.room(camera_name), self.camera(camera_name))
        return self._stages[camera_name]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_stages": {}}


def _people(rng: np.random.Generator, count: int) -> tuple[Person, ...]:
    """People of whom about LOOK_ALIKE_SHARE are in pairs of look-alikes (at least one pair from four people on)."""
    looks = [random_look(rng) for _ in range(count)]
    alike: dict[int, int] = {}
    pairs = max(1, round(count * LOOK_ALIKE_SHARE / 2)) if count >= 4 else 0
    order = rng.permutation(count)
    for k in range(pairs):
        a, b = int(order[2 * k]), int(order[2 * k + 1])
        looks[b] = look_alike(looks[a], rng)
        alike[a], alike[b] = b + 1, a + 1
    return tuple(Person(i + 1, look, compile_look(look), alike.get(i)) for i, look in enumerate(looks))


def _groups(people: tuple[Person, ...], plan: Plan, seconds: float, rng: np.random.Generator) -> list[Group]:
    """Singles and some pairs, with starts spread from before the first frame on; look-alikes do not walk together."""
    order = [int(i) for i in rng.permutation(len(people))]
    groups = []
    while order:
        members = [order.pop()]
        if order and rng.random() < 0.15 and people[members[0]].alike != people[order[-1]].number:
            members.append(order.pop())
        start = rng.uniform(-22.0, min(14.0, 0.2 * seconds))
        entries = (
            plan.street if start > 0 else [(r, d) for r, room in enumerate(plan.rooms) for d in range(len(room.doors))]
        )
        room, door = entries[int(rng.integers(len(entries)))]
        bodies = [people[m].figure.body for m in members]
        groups.append(Group(members, bodies, float(rng.uniform(*SPEEDS)), float(start), room, door))
    return groups


def _spots_in_view(grid: Grid, camera: Camera) -> np.ndarray:
    """Floor (n, 2) where a standing person is whole in the picture, 2.5 to 10 m away."""
    spots = grid.spots(PAIR_M)
    if not len(spots):
        return spots
    feet = camera.to_pixels(np.column_stack([spots, np.zeros(len(spots))]))
    heads = camera.to_pixels(np.column_stack([spots, np.full(len(spots), 1.8)]))
    with np.errstate(invalid="ignore"):
        x_ok = (feet[:, 0] > 40) & (feet[:, 0] < camera.width - 40)
        y_ok = (heads[:, 1] > 5) & (feet[:, 1] < camera.height - 5)
    distance = np.hypot(*(spots - camera.position[:2]).T)
    return spots[x_ok & y_ok & (distance > 2.5) & (distance < 10.0)]


def _check(cameras: int, people: int, seconds: float, fps: int) -> None:
    limits = {
        "cameras": (cameras, 1, MAX_CAMERAS),
        "people": (people, 0, min(MAX_SITE_PEOPLE, MAX_PEOPLE * cameras)),
        "seconds": (seconds, 0.1, 24 * 3600),
        "fps": (fps, 1, 60),
    }
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise ValueError(f"{name}: expected {low} to {high}, got {value}")


def make_site(seed: int, cameras: int = 4, people: int = 12, seconds: float = 90.0, fps: int = 10) -> Site:
    """A site, the same for the same arguments.

    ValueError where an argument is out of range (1 to 12 cameras, up to 24 people per camera and 200 in all, 1 to
    60 fps).
    """
    _check(cameras, people, seconds, fps)
    roots = np.random.SeedSequence([SITE_KEY, seed]).spawn(3)
    plan_rng, look_rng, walk_rng = (np.random.default_rng(root) for root in roots)
    plan = make_plan(plan_rng, cameras)
    persons = _people(look_rng, people)
    frames = max(1, round(seconds * fps))
    diary = Diary(np.full((people, frames), NOWHERE, np.int16), np.zeros((people, frames, len(POSE))))
    grids = [Grid(room) for room in plan.rooms]
    spots = [_spots_in_view(grid, camera) for grid, camera in zip(grids, plan.cameras, strict=True)]
    walker = Walker(plan, grids, diary, fps, walk_rng, spots)
    for group in _groups(persons, plan, seconds, walk_rng):
        walker.stay(group)
    names = {name: i for i, name in enumerate(NAMES[:cameras])}
    return Site(seed, fps, seconds, frames, names, plan, persons, diary)
