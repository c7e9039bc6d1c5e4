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


def _named_cameras(site: Site) -> Iterator[tuple[Location, str]]:
    for index, transition in enumerate(site.transitions):
        yield ("transitions", index, "from"), transition.from_
        yield ("transitions", index, "to"), transition.to
    for index, pair in enumerate(site.overlaps):
        for side, name in enumerate(pair):
            yield ("overlaps", index, side), name


def _pair_problems(site: Site) -> Iterator[Problem]:
    """Pairs of a camera with itself, and walks that are declared twice."""
    declared: dict[tuple[str, str], int] = {}
    for index, transition in enumerate(site.transitions):
        location: Location = ("transitions", index)
        start, end = transition.from_, transition.to
        if start == end:
            yield location, f"expected two different cameras, found {start!r} twice"
            continue
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
