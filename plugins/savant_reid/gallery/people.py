"""The people of a run, each with visits: where they were, and from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from savant_reid.gallery.stretches import Stretch

# Whom a camera loses for less than this has not left: hidden, or missed by the detector.
VISIT_GAP_NS = 10_000_000_000


@dataclass
class Visit:
    """One person before one camera. stretches: in the order of time, at least one."""

    global_id: int
    camera: str
    stretches: list[Stretch]

    @property
    def first_ns(self) -> int:
        return min(stretch.first_ns for stretch in self.stretches)

    @property
    def last_ns(self) -> int:
        return max(stretch.last_ns for stretch in self.stretches)


@dataclass
class Person:
    """visits: in the order of their start, at least one."""

    global_id: int
    visits: list[Visit] = field(default_factory=list)

    @property
    def first_ns(self) -> int:
        return self.visits[0].first_ns

    @property
    def last_ns(self) -> int:
        return max(visit.last_ns for visit in self.visits)

    @property
    def cameras(self) -> list[str]:
        """In the order of the first visit."""
        return list(dict.fromkeys(visit.camera for visit in self.visits))


def people_of(stretches: Iterable[Stretch]) -> dict[int, Person]:
    """Everybody with an identity, by global_id, in its order."""
    people: dict[int, Person] = {}
    latest: dict[tuple[int, str], Visit] = {}
    for stretch in sorted(stretches, key=lambda one: (one.first_ns, one.camera, one.track_id)):
        if stretch.global_id < 0:
            continue
        key = (stretch.global_id, stretch.camera)
        visit = latest.get(key)
        if visit is not None and stretch.first_ns - visit.last_ns <= VISIT_GAP_NS:
            visit.stretches.append(stretch)
            continue
        latest[key] = Visit(stretch.global_id, stretch.camera, [stretch])
        people.setdefault(stretch.global_id, Person(stretch.global_id)).visits.append(latest[key])
    return dict(sorted(people.items()))
