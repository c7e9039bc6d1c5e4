"""Who gets whom: the possible answers of a moment, settled so that nobody gets an identity that another has got.

Everybody gets what is best alone, unless others want it too: those are settled with all whom they compete with, in
components of at most MOST_JOINT tracklets by exact assignment, larger ones greedily by their worth, so that a crowd
costs a bounded time.
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
    known = options.known
    at = np.flatnonzero(values > 0.0)
    chosen = np.full(len(options.tracklets), NOBODY, np.int64)
    order = at[np.lexsort((-at, values[at]))]
    chosen[known.asked[order]] = order  # the most probable of the best is the last
    for component in _components(known.asked[at].tolist(), known.global_ids[at].tolist()):
        members = np.array(component)
        if len(np.unique(known.global_ids[chosen[members]])) == len(members):
            continue  # everybody gets the best
        way = _assign if len(members) <= MOST_JOINT else _greedy
        chosen[members] = way(options, values, members, at[np.isin(known.asked[at], members)])
    return chosen


def _components(asked: list[int], global_ids: list[int]) -> list[list[int]]:
    """Numbers of those who compete, directly or through others, for what they are worth; each ascending.

    asked: ascending, and global_ids: what everybody may get.
    """
    leader = dict(zip(asked, asked, strict=True))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    first: dict[int, int] = {}
    for at, global_id in zip(asked, global_ids, strict=True):
        other = first.setdefault(global_id, at)
        if other != at:
            leader[lead(at)] = lead(other)
    groups: dict[int, list[int]] = {}
    for at in leader:
        groups.setdefault(lead(at), []).append(at)
    return [group for group in groups.values() if len(group) > 1]


def _assign(options: Options, values: Doubles, component: Int64s, at: Int64s) -> Int64s:
    """(c,) option of each, or NOBODY: one identity of their own, or none, so that the total value is greatest.

    component: (c,) numbers of who is asked about, ascending; at: indices of their options that are worth more than 0.
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
    chosen = np.full(len(component), NOBODY, np.int64)
    taken: set[int] = set()
    for mine, global_id, option in zip(who[order].tolist(), ids[order].tolist(), at[order].tolist(), strict=True):
        if chosen[mine] == NOBODY and global_id not in taken:
            chosen[mine] = option
            taken.add(global_id)
    return chosen
