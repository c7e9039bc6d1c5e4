"""What a site file may say wrongly though every key of it is of the right kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import yaml

from savant_reid.camera_names import name_problems

if TYPE_CHECKING:
    from savant_reid.site import Site

Location = tuple["str | int", ...]
Problem = tuple[Location, str]


def site_problems(site: Site) -> Iterator[Problem]:
    """(key path, what was expected and found) for each contradiction in a site."""
    for name, problem in name_problems(site.cameras):
        yield ("cameras", name), problem
    known = ", ".join(site.cameras)
    for location, name in _named_cameras(site):
        if name not in site.cameras:
            yield location, f"expected one of the cameras {known}, found {name!r}"
    yield from _pair_problems(site)
    yield from _policy_problems(site)


def missing_files(site: Site) -> Iterator[Problem]:
    """Enrolment files and a calibration that are not there."""
    for location, path in (
        (("identity", "enrolled"), site.enrolled_path),
        (("identity", "watchlist", "enrolled"), site.watchlist_path),
    ):
        if path is not None and not path.is_file():
            yield location, f"expected an enrolment file (savant-reid gallery enrol writes one), found none at {path}"
    calibration = site.calibration_path
    if calibration is not None and not calibration.is_file():
        text = f"expected a calibration (savant-reid calibrate writes one), found none at {calibration}"
        yield ("identity", "calibration"), f"{text}; leave the key out until then"


def _policy_problems(site: Site) -> Iterator[Problem]:
    """A closed set has people in it, an open set has no list but the watchlist."""
    identity = site.identity
    if identity.policy == "closed_set":
        if identity.enrolled is None:
            yield ("identity", "policy"), "closed_set: expected identity.enrolled, a file of the people, found none"
        if identity.watchlist is not None:
            yield ("identity", "watchlist"), "expected policy: open_set beside a watchlist, found closed_set"
    elif identity.enrolled is not None:
        text = "expected policy: closed_set beside enrolled (within an open set: watchlist: {enrolled: FILE})"
        yield ("identity", "enrolled"), f"{text}, found {identity.policy}"


def _named_cameras(site: Site) -> Iterator[tuple[Location, str]]:
    for index, transition in enumerate(site.transitions):
        yield ("transitions", index, "from"), transition.from_
        yield ("transitions", index, "to"), transition.to
    for index, pair in enumerate(site.overlaps):
        for side, name in enumerate(pair):
            yield ("overlaps", index, side), name


def _pair_problems(site: Site) -> Iterator[Problem]:
    """Pairs of a camera with itself, walks that are declared twice, and walks that take time between cameras that
    see the same floor."""
    same_floor = {frozenset(pair): index for index, pair in enumerate(site.overlaps)}
    declared: dict[tuple[str, str], int] = {}
    for index, transition in enumerate(site.transitions):
        location: Location = ("transitions", index)
        start, end = transition.from_, transition.to
        if start == end:
            yield location, f"expected two different cameras, found {start!r} twice"
            continue
        overlap = same_floor.get(frozenset((start, end)))
        if overlap is not None and transition.seconds[0] > 0:
            yield (
                location,
                f"expected seconds to start at 0, as {start!r} and {end!r} see the same floor (overlaps.{overlap}), "
                f"found {transition.seconds[0]:g}",
            )
        for pair in ((start, end), (end, start))[: 1 + transition.both_ways]:
            if pair in declared:
                first = f"transitions.{declared[pair]}"
                yield (
                    location,
                    f"expected one entry for the walk from {pair[0]!r} to {pair[1]!r}, found it in {first} too",
                )
            declared.setdefault(pair, index)
    for index, (one, other) in enumerate(site.overlaps):
        if one == other:
            yield ("overlaps", index), f"expected two different cameras, found {one!r} twice"


def keys_given_twice(root: yaml.Node | None) -> Iterator[tuple[Location, int, int]]:
    """(key path, its line, the line of the first) for keys that one mapping names twice; YAML lets the last one win."""
    waiting: list[tuple[Location, yaml.Node]] = [((), root)] if root else []
    seen: set[int] = set()
    while waiting:
        location, node = waiting.pop()
        if id(node) in seen:  # an alias; it may even hold itself
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*location, index), item) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in first:
                    yield (*location, name), line, first[name]
                first.setdefault(name, line)
                waiting.append(((*location, name), value))
