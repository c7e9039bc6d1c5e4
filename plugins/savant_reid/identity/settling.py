"""Who gets whom: the possible answers of a moment, settled so that nobody gets an identity that another has got.

Who competes for no identity with anybody is settled alone; the others in components of at most MOST_JOINT tracklets by
exact assignment, larger ones greedily by their worth, so that a crowd costs a bounded time.
"""

from __future__ import annotations

import numpy as np

from savant_reid.identity.assignment import assign
from savant_reid.identity.options import Doubles, Int64s, Options

FORBIDDEN = -1e9
MOST_JOINT = 48
NOBODY = -1


def settle(options: Options, values: Doubles) -> Int64s:
    """(b,) index of the option that each who is asked about gets, or NOBODY.

    values: (n,) what each option is worth against NOBODY, which is worth 0.
    """
    chosen = _best(options, values)
    ends = options.ends
    for component in _components(options):
        if len(component) > 1:
            at = np.concatenate([np.arange(ends[who], ends[who + 1]) for who in component])
            way = _assign if len(component) <= MOST_JOINT else _greedy
            chosen[component] = way(options, values, np.array(component), at)
    return chosen


def _best(options: Options, values: Doubles) -> Int64s:
    """(b,) index of the option that each would get alone, or NOBODY."""
    best = np.full(len(options.tracklets), NOBODY, np.int64)
    order = np.lexsort((-np.arange(len(values)), values))
    order = order[values[order] > 0.0]
    best[options.known.asked[order]] = order  # the most probable of the best is the last
    return best


def _components(options: Options) -> list[list[int]]:
    """Numbers of those who are asked about that compete, directly or through others."""
    leader = list(range(len(options.tracklets)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    first: dict[int, int] = {}
    own = ((at, tracklet.global_id) for at, tracklet in enumerate(options.tracklets) if tracklet.global_id)
    known = zip(options.known.asked.tolist(), options.known.global_ids.tolist(), strict=True)
    for at, global_id in (*own, *known):
        other = first.setdefault(global_id, at)
        if other != at:
            leader[lead(at)] = lead(other)
    groups: dict[int, list[int]] = {}
    for at in range(len(leader)):
        groups.setdefault(lead(at), []).append(at)
    return list(groups.values())


def _assign(options: Options, values: Doubles, component: Int64s, at: Int64s) -> Int64s:
    """(c,) option of each, or NOBODY: one identity of their own, or none, so that the total value is greatest.

    component: (c,) numbers of who is asked about, ascending; at: indices of their options.
    """
    identities, column = np.unique(options.known.global_ids[at], return_inverse=True)
    row = np.searchsorted(component, options.known.asked[at])
    n, c = len(identities), len(component)
    worth, option = np.full((c, n + c), FORBIDDEN), np.full((c, n + c), NOBODY)
    worth[row, column], option[row, column] = values[at], at
    worth[np.arange(c), n + np.arange(c)] = 0.0
    return option[np.arange(c), assign(worth)]


def _greedy(options: Options, values: Doubles, component: Int64s, at: Int64s) -> Int64s:
    """The same, the best answers first."""
    ids, who = options.known.global_ids[at], np.searchsorted(component, options.known.asked[at])
    serials = np.array([tracklet.serial for tracklet in options.tracklets], np.int64)[component]
    order = np.lexsort((ids, serials[who], -values[at]))
    order = order[values[at][order] > 0.0]
    chosen = np.full(len(component), NOBODY, np.int64)
    taken: set[int] = set()
    for mine, global_id, option in zip(who[order].tolist(), ids[order].tolist(), at[order].tolist(), strict=True):
        if chosen[mine] == NOBODY and global_id not in taken:
            chosen[mine] = option
            taken.add(global_id)
    return chosen
