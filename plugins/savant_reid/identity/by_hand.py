"""What people have decided, kept to from then on: who is one person, and who are two.

A decision names tracks (Constraints, from a file) or identities (merge, split, forget while the engine runs). Tracks
that belong to one person form a group: the identity that its first track gets is that of all its later tracks, as soon
as they begin. Groups that are two people keep away from each other's identities. What the tables here take is bounded
by the constraints given; pairs of identities that were split while running by MOST_PAIRS, oldest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from savant_reid.identity.aliases import Aliases
from savant_reid.identity.constraints import Constraints, Span
from savant_reid.identity.topology import Topology
from savant_reid.identity.tracklet import Tracklet

MOST_PAIRS = 2_000


class Hands:
    """Answers questions about what people have decided; changes no tracklet.

    active: False while nobody has decided anything, so that asking costs nothing.
    """

    def __init__(self, constraints: Constraints, topology: Topology, aliases: Aliases) -> None:
        self._aliases = aliases
        self._spans: dict[tuple[int, int], list[tuple[Span, int]]] = defaultdict(list)
        self._apart: dict[int, set[int]] = defaultdict(set)
        self._identity: dict[int, int] = {}
        self._named_by: dict[int, int] = {}
        self._joined: set[int] = set()
        self._pairs: dict[tuple[int, int], None] = {}
        self.active = False
        groups = _groups(constraints)
        sizes: dict[int, int] = defaultdict(int)
        for span, group in groups.items():
            if span.camera in topology.index:
                self._spans[topology.index[span.camera], span.track_id].append((span, group))
                sizes[group] += 1
        self._linked = {group for group, size in sizes.items() if size > 1}
        for one, other in constraints.split:
            a, b = groups[one], groups[other]
            if a != b:  # a later word says that they are one
                self._apart[a].add(b)
                self._apart[b].add(a)
        self.active = bool(self._spans)

    def span_at(self, tracklet: Tracklet, now_ns: int) -> tuple[Span, int] | None:
        """What is said of this track at this moment: the span and its group."""
        for span, group in self._spans.get((tracklet.camera, tracklet.track_id), ()):
            if span.first_ns <= now_ns <= span.last_ns:
                return span, group
        return None

    def is_linked(self, group: int) -> bool:
        """True if several tracks are that person."""
        return group in self._linked

    def identity_of(self, group: int) -> int:
        """The present identity of a group's person; 0 while it has none."""
        return self._aliases.present(self._identity.get(group, 0))

    def name(self, group: int, tracklet: Tracklet) -> None:
        """That person is the identity of this tracklet, for as long as it is alone in the group."""
        self._identity[group], self._named_by[group] = tracklet.global_id, tracklet.serial
        self._joined.discard(group)

    def may_rename(self, group: int, tracklet: Tracklet) -> bool:
        """True while no other tracklet relies on what this one is called."""
        return group not in self._joined and self._named_by.get(group) == tracklet.serial

    def join_group(self, group: int) -> None:
        """A second tracklet has come: what they are called stays."""
        self._joined.add(group)

    def is_joined(self, group: int) -> bool:
        return group in self._joined

    def forbidden(self, tracklet: Tracklet) -> set[int]:
        """Identities that are somebody else, for sure."""
        return {self.identity_of(group) for group in self._apart.get(tracklet.hand_group, ())} - {0}

    def part(self, a: int, b: int) -> None:
        """Two identities are two people, whatever they look like."""
        self.active = True
        self._pairs[a, b] = None
        while len(self._pairs) > MOST_PAIRS:
            del self._pairs[next(iter(self._pairs))]

    def join(self, a: int, b: int) -> None:
        """A later word: they are one person after all."""
        self.active = True
        self._pairs = {pair: None for pair in self._pairs if set(map(self._aliases.present, pair)) != {a, b}}
        for group, others in self._apart.items():
            others -= {other for other in others if {self.identity_of(group), self.identity_of(other)} == {a, b}}

    def apart(self, a: int, b: int) -> bool:
        """True if these identities must never become one."""
        if not self.active:
            return False
        asked = {a, b}
        return any({self._aliases.present(one), self._aliases.present(two)} == asked for one, two in self._all_pairs())

    def _all_pairs(self) -> Iterator[tuple[int, int]]:
        yield from self._pairs
        for group, others in self._apart.items():
            mine = self._identity.get(group, 0)
            if mine:
                yield from ((mine, self._identity[other]) for other in others if other in self._identity)


def _groups(constraints: Constraints) -> dict[Span, int]:
    """Every span with the number of its person."""
    leader: dict[Span, Span] = {}

    def lead(span: Span) -> Span:
        leader.setdefault(span, span)
        while leader[span] != span:
            leader[span] = leader[leader[span]]
            span = leader[span]
        return span

    for one, other in constraints.merged:
        leader[lead(one)] = lead(other)
    for pair in constraints.split:
        for span in pair:
            lead(span)
    numbers: dict[Span, int] = {}
    return {span: numbers.setdefault(lead(span), len(numbers)) for span in sorted(leader)}
