"""When the next crop of a track is wanted: soon at first, then seldom, as each tells less than the one before.

One rule for the gate, which asks for embeddings, and for the intake, which takes them as evidence: what one asks for,
the other wants.
"""

from __future__ import annotations

# Doublings after which any wait is at its longest, and the shortest one that can be doubled.
MOST_DOUBLINGS = 30
SHORTEST_S = 1e-3


def wait_s(taken: int, first_s: float, most_s: float) -> float:
    """Seconds from one crop to the next, after `taken` of them: first_s, doubled with every second one."""
    return min(most_s, max(first_s, SHORTEST_S) * 2.0 ** min(taken // 2, MOST_DOUBLINGS))
