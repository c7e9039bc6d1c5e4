"""What people have decided about a run (corrections.jsonl), as constraints that the core keeps to in a replay."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from savant_reid.errors import DataError
from savant_reid.gallery.corrections import Corrections, load_corrections
from savant_reid.identity.constraints import Constraints, Span


def load_constraints(path: Path, cameras: Collection[str]) -> Constraints:
    """Raises DataError for a file that is not there or is broken, or that speaks of a camera that the site lacks."""
    if not path.is_file():
        raise DataError(f"{path}: expected a file of corrections, found none")
    constraints = constraints_of(load_corrections(path))
    spans = {span for pair in (*constraints.merged, *constraints.split) for span in pair}
    unknown = sorted({span.camera for span in spans} - set(cameras))
    if unknown:
        known = ", ".join(cameras)
        raise DataError(f"{path}: expected tracks of the site's cameras ({known}), found {', '.join(unknown)}")
    return constraints


def constraints_of(corrections: Corrections) -> Constraints:
    """All tracks of the two sides of a merge are one person; a track that was split off is none of those that stayed.

    Nothing is left of whom people have forgotten but a number, which says nothing about a replay.
    """
    merged: list[tuple[Span, Span]] = []
    for merge in corrections.merges:
        merged += pairwise([*merge.tracks[0], *merge.tracks[1]])
    split: list[tuple[Span, Span]] = []
    for decision in corrections.splits:
        since_ns = decision.track.first_ns if decision.since_ns is None else decision.since_ns
        gone = decision.track._replace(first_ns=max(decision.track.first_ns, since_ns))
        split += [(gone, other) for other in decision.others]
    return Constraints(tuple(merged), tuple(split))
